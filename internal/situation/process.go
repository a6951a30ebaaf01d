package situation

import "github.com/goodgate/goodgate/reason"

// Situations of goodgate itself, and of requests independent of their pool.
const (
	ConfigFailed    ID = "config_failed"
	RolledBack      ID = "config_rolled_back"
	Faults          ID = "faults_on_purpose"
	ShuttingDown    ID = "shutting_down"
	OwnCertExpired  ID = "certificate_expired"
	OwnCertExpires  ID = "certificate_expires"
	OwnCertMissing  ID = "certificate_missing"
	OutOfFiles      ID = "out_of_file_descriptors"
	ClientsWait     ID = "clients_wait"
	OwnLimit        ID = "limit_reached"
	NoRoute         ID = "no_route"
	Internal        ID = "internal"
	ClientGone      ID = "client_gone"
	MalformedByPeer ID = "request_malformed"
	TooLarge        ID = "request_too_large"
	SentTooSlowly   ID = "request_timeout"
	AccessDenied    ID = "access_denied"
	Unauthorized    ID = "unauthorized"
	CrossOrigin     ID = "cross_origin"
	MadeFaster      ID = "made_faster"
	FleetAlone      ID = "fleet_store_away"
	FleetStrangers  ID = "fleet_other_secret"
	FleetDiffers    ID = "fleet_members_differ"
	FleetClock      ID = "fleet_clock_differs"
)

var process = []Row{
	{
		ID: FleetAlone, Level: Warning,
		Headline: "The fleet's store does not answer",
		Cause:    "Since {when} this instance works alone. It admits 1/{n} of each rate, because it last knew of {n} instances. Its changes reach the others when the store answers again. The store's error: {error}.",
		Do:       "Check that the store runs and that this machine reaches it. Check fleet.addresses and fleet.password.",
	}, {
		ID: FleetStrangers, Level: Warning,
		Headline: "Members of the fleet have another secret",
		Cause:    "This instance cannot read the messages of {n} instances with the same fleet.name: their fleet.secret differs. Those instances enforce rates without this one, and changes do not reach them.",
		Do:       "Set the same fleet.secret on all instances, or another fleet.name on the others.",
	}, {
		ID: FleetDiffers, Level: Notice,
		Headline: "Members of the fleet differ",
		Cause:    "The version or the configuration of {n} of {of} other instances differs from this instance's.",
		Do:       "Nothing during a rollout. Otherwise goodgate status --fleet shows which instances differ.",
	}, {
		ID: FleetClock, Level: Notice,
		Headline: "The clock of this machine is wrong",
		Cause:    "It differs by {n} seconds from the clock of the fleet's store. The fleet compensates for this, but log times and certificate checks do not.",
		Do:       "Synchronize the clocks of this machine and of the store with NTP.",
	}, {
		ID: ConfigFailed, Level: Warning,
		Headline: "The configuration could not be reloaded",
		Cause:    "The last good configuration, of {when}, stays in use. The error in the new one: {error}.",
		Do:       "Correct the file, check it with goodgate check, and reload.",
	}, {
		ID: RolledBack, Level: Warning,
		Headline: "The configuration in use is not the one in the file",
		Cause:    "An operator rolled back to version {n} at {when}. The next reload or restart uses the file again.",
		Do:       "Correct the file, and reload.",
	}, {
		ID: Faults, Level: Warning, Reason: reason.FaultInjected,
		Headline: "Injected faults are active",
		Cause:    "The configuration or an operator delays, refuses or breaks off some requests on purpose. Routes: {name}.",
		Do:       "When the test is over, remove faults from the routes, and end those of operators with goodgate fault --end.",
	}, {
		ID: ShuttingDown, Level: Notice, Reason: reason.ShuttingDown,
		Headline: "goodgate is shutting down",
		Cause:    "It finishes the requests in flight, and then exits.",
	}, {
		ID: OwnCertExpired, Level: Error,
		Headline: "A certificate of a listener has expired",
		Cause:    "{file} expired at {when}. Browsers and other clients refuse to connect.",
		Do:       "Renew the certificate. goodgate reloads the file when it changes.",
	}, {
		ID: OwnCertExpires, Level: Warning,
		Headline: "A certificate of a listener expires soon",
		Cause:    "{file} expires at {when}.",
		Do:       "Renew the certificate. goodgate reloads the file when it changes. For one from ACME, the log says why it was not renewed.",
	}, {
		ID: OwnCertMissing, Level: Error,
		Headline: "A certificate could not be obtained",
		Cause:    "There is no certificate for {name} yet, so clients that ask for it cannot connect.",
		Do:       "Look in the log: it says why the authority (ACME) did not issue it.",
	}, {
		ID: OutOfFiles, Level: Error, Reason: reason.Overloaded,
		Headline: "goodgate has run out of file descriptors", Past: "goodgate ran out of file descriptors",
		Cause: "A connection could not be made, because the process had no file descriptor left (limit {n}).",
		Do:    "Raise the limit (LimitNOFILE= in systemd, ulimit -n), or set listeners[].max_connections.",
	}, {
		ID: ClientsWait, Level: Warning,
		Headline: "New clients wait to be accepted", Past: "New clients waited to be accepted",
		Cause: "{name} may have {n} client connections at once, and all of them are in use.", CausePast: "{name} may have {n} client connections at once, and all of them were in use.",
		Do: "Raise listeners[].max_connections if it is set, else the limit of file descriptors (LimitNOFILE= in systemd, ulimit -n). A shorter timeouts.keepalive of the listener ends idle connections sooner.",
	}, {
		ID: OwnLimit, Level: Error, Reason: reason.Overloaded,
		Headline: "goodgate refuses requests at one of its limits", Past: "goodgate refused requests at one of its limits",
		Cause: "More requests arrived at once than limits.max_requests of a listener or route, or the memory (GOMEMLIMIT), allows.",
		Do:    "Raise the limit if the machine can handle more.",
	}, {
		ID: NoRoute, Level: Warning, Reason: reason.NoRoute,
		Headline: "Most requests match no route", Past: "Most requests matched no route",
		Cause: "{n} of {of} requests in the last minute were for a host or a path without a route, and got 404.",
		Do:    "Compare the hosts and paths of the routes with those that clients request. goodgate why ID explains one request.",
	}, {
		ID: Internal, Level: Error, Reason: reason.Internal,
		Headline: "goodgate itself failed", Past: "goodgate itself failed",
		Cause: "Requests failed because of an internal error of goodgate: {error}.",
		Do:    "Find the ERROR lines in goodgate's log, and report them with the version.",
	},
}

// requests are the situations that only the explanation of a single request shows.
var requests = []Row{
	{
		ID: ClientGone, Reason: reason.ClientGone,
		Headline: "The client left before the answer",
		Cause:    "The client closed its connection: it gave up, or its user left.",
		Do:       "Nothing, unless many clients leave: then compare their timeout with the time that answers take.",
	}, {
		ID: MalformedByPeer, Reason: reason.RequestMalformed,
		Headline: "The client's request was malformed",
		Cause:    "The client's data is not a valid HTTP request, or is ambiguous.",
		Do:       "Correct the client. If it is a scanner, ignore it.",
	}, {
		ID: TooLarge, Reason: reason.RequestTooLarge,
		Headline: "The client's request was too large",
		Cause:    "The request's body, URL or header exceeds its limit.",
		Do:       "To allow such requests, raise limits.max_body for the body, or max_header of the listener for the URL and the header.",
	}, {
		ID: SentTooSlowly, Reason: reason.RequestTimeout,
		Headline: "The client sent its request too slowly",
		Cause:    "The request did not arrive within the listener's timeouts.",
		Do:       "Nothing, unless this happens often: then check the network between clients and goodgate.",
	}, {
		ID: AccessDenied, Reason: reason.AccessDenied,
		Headline: "The route does not admit the client's address",
		Cause:    "The route's access.allow or access.deny excludes the client's network.",
		Do:       "Nothing, unless the client should get in. Behind another proxy, list that proxy in trusted_proxies; without it, every client has the proxy's address.",
	}, {
		ID: Unauthorized, Reason: reason.Unauthorized,
		Headline: "The client has not signed in",
		Cause:    "The request had no credentials that the route's access accepts.",
		Do:       "Nothing, unless the client should get in: then check its user and password, or the service named by access.forward.",
	}, {
		ID: CrossOrigin, Reason: reason.CrossOrigin,
		Headline: "The request came from another site",
		Cause:    "A page of another origin sent a request that may change something, and the route has cross_origin: deny.",
		Do:       "Nothing, unless that site may do so: then add its origin to cross_origin.trusted.",
	}, {
		ID:       MadeFaster,
		Headline: "The request was made faster",
		Cause:    "The first upstream was late, so goodgate asked another one as well, which answered first. Nothing failed.",
	},
}
