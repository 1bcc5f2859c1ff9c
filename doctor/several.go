package doctor

// What no server can see of itself. Package fleet finds it, where the reports of several are put
// together.

// LiveTwice is the id of the check that finds a name live on two servers.
const LiveTwice = "D52"

func fleetChecks() []Check {
	return []Check{{ID: LiveTwice, Title: "A name is live on two servers", Needs: Fleet}}
}
