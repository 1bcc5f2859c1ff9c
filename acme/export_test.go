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

// NameOf is the one spelling of a name.
var NameOf = nameOf

// Parsers are the parsers of objects, by name.
var Parsers = map[string]func(body []byte) (any, error){
	"problem":       func(body []byte) (any, error) { return parseProblem(body), nil },
	"challenge":     func(body []byte) (any, error) { c, _ := parseChallenge(body); return c, nil },
	"order":         func(body []byte) (any, error) { return parseOrder(answer{body: body}, "") },
	"authorization": func(body []byte) (any, error) { return parseAuthorization(answer{body: body}, "") },
	"account":       func(body []byte) (any, error) { return parseAccount(answer{body: body}, "") },
	"directory":     func(body []byte) (any, error) { return parseDirectory(body) },
	"renewal info":  func(body []byte) (any, error) { return parseRenewalInfo(body) },
}
