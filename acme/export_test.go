package acme

// The parsers, for the fuzz targets and tables.
var (
	RetryAfter   = retryAfter
	ParseLinks   = parseLinks
	ParseProblem = func(body []byte) *Problem { return parseProblem(body) }
)

// The limits that tests reach for.
const (
	NonceRetries = nonceRetries
	NonceAge     = nonceAge
	NoncesKept   = noncesKept
	LongestWait  = longestWait
	BodyLimit    = bodyLimit
	ProblemLimit = problemLimit
)

// Sign makes the JWS that a request of this payload, URL, nonce and kid carries.
func (k *Key) Sign(payload []byte, target, nonce, kid string) ([]byte, error) {
	return k.sign(payload, target, nonce, kid)
}

// The makings of the pool of all TLS roots.
var (
	EveryRoot    = everyRoot
	SystemBundle = systemBundle
)

// ParseRenewalInfo is the parser of renewal information.
var ParseRenewalInfo = parseRenewalInfo

// AlternatesKept is how many alternates of a chain are told.
const AlternatesKept = alternatesKept

// MAC is the signature that a binding carries over this text.
func (e *ExternalAccount) MAC(text string) []byte { return e.mac(text) }
