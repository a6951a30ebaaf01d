package situation

import "github.com/goodgate/goodgate/reason"

// Situations of a whole pool.
const (
	LookupUnknown  ID = "lookup_name_unknown"
	LookupSilent   ID = "lookup_resolver_silent"
	LookupFailed   ID = "lookup_failed"
	PoolEmpty      ID = "pool_empty"
	AllTakenOut    ID = "all_taken_out_by_operator"
	NoneAvailable  ID = "none_available"
	SomeTakenOut   ID = "none_available_some_taken_out"
	Starting       ID = "starting"
	HeldOver       ID = "requests_held"
	HoldExpired    ID = "hold_expired"
	NoUpstream     ID = "no_upstream"
	Overloaded     ID = "overloaded"
	Queueing       ID = "queueing"
	AtLimit        ID = "at_limit"
	RetriesStopped ID = "retries_stopped"
	AllSlow        ID = "all_slow"
	FailAlike      ID = "all_fail_alike"
	FallbackInUse  ID = "fallback_in_use"
	StaleInUse     ID = "stale_in_use"
	RateLimited    ID = "rate_limited"
	AuthAway       ID = "auth_unavailable"
	Loop           ID = "loop_detected"
	UpgradeFails   ID = "upgrade_unsupported"
	ClientsLeave   ID = "clients_leave"
	Paused         ID = "paused"
	Maintenance    ID = "maintenance"
)

var pools = []Row{
	{
		ID: Paused, Level: Notice, Reason: reason.Paused,
		Headline: "The pool is paused by an operator",
		Cause:    "New requests to pool {pool} wait until the pause ends at {when}. Requests that wait too long, or that find too many others waiting, get 503.",
		Do:       "To end the pause now: goodgate resume {pool}.",
	}, {
		ID: Maintenance, Level: Notice, Reason: reason.Maintenance,
		Headline: "The pool is in maintenance",
		Cause:    "An operator or the configuration put pool {pool} into maintenance. Requests get 503 and a page; testers get through.",
		Do:       "To end the maintenance: goodgate maintenance off {pool}.",
	}, {
		ID: LookupUnknown, Level: Warning, Reason: reason.DNSError,
		Headline: "The name of the upstreams does not resolve",
		Cause:    "Looking up the upstreams of pool {pool} failed: {error}.",
		Do:       "Check the name, its DNS records, and the name server: /etc/resolv.conf on this machine, or the pool's dns.resolver.",
	}, {
		ID: LookupSilent, Level: Warning, Reason: reason.DNSTimeout,
		Headline: "The resolver does not answer",
		Cause:    "Looking up the upstreams of pool {pool} failed: {error}.",
		Do:       "Check that this machine reaches its name servers: those in /etc/resolv.conf, or the pool's dns.resolver.",
	}, {
		ID: LookupFailed, Level: Warning,
		Headline: "The list of upstreams cannot be read",
		Cause:    "Looking up the upstreams of pool {pool} failed: {error}.",
		Do:       "Correct the list, or the entry under pools.{pool}.upstreams that names it.",
	}, {
		ID: PoolEmpty, Level: Error, Reason: reason.NoUpstream,
		Headline: "The pool has no upstreams",
		Cause:    "Discovery works but finds no upstream for pool {pool}: the list is empty.",
		Do:       "Add upstreams to the list or the DNS record that pools.{pool}.upstreams names.",
	}, {
		ID: AllTakenOut, Level: Error, Reason: reason.NoUpstream,
		Headline: "An operator took all upstreams out of service",
		Cause:    "Every upstream of pool {pool} ({of}) is drained or switched off. Requests wait for at most hold.for, then fail with 503.",
		Do:       "To put an upstream back into service: goodgate undrain ADDRESS.",
	}, {
		ID: NoneAvailable, Level: Error, Reason: reason.NoUpstream,
		Headline: "No upstream is available",
		Cause:    "Pool {pool} has no upstream that can take a request. Requests wait for at most hold.for, then fail with 503.",
		Do:       "Bring one upstream back. The state of each is below.",
	}, {
		ID: SomeTakenOut, Level: Error, Reason: reason.NoUpstream,
		Headline: "No upstream is available, and an operator took some out of service",
		Cause:    "An operator took {n} of the {of} upstreams of pool {pool} out of service, and the others fail. Requests wait for at most hold.for, then fail with 503.",
		Do:       "To put an upstream back into service: goodgate undrain ADDRESS. The state of each is below.",
	}, {
		ID: Starting, Level: Notice,
		Headline: "The upstreams are being checked for the first time",
		Cause:    "No health check of pool {pool} has finished yet. Requests wait for the first upstream that passes, for at most hold.for.",
	}, {
		ID: HeldOver, Level: Notice, Reason: reason.NoUpstream,
		Headline: "Requests wait for an upstream", Past: "Requests waited until an upstream was available",
		Cause: "No upstream of pool {pool} was available for a while, so goodgate held the requests.",
		Do:    "Bring an upstream back before hold.for ends.", DoPast: "Nothing, if it was a restart. With a second upstream, requests would not have to wait.",
	}, {
		ID: HoldExpired, Level: Error, Reason: reason.HoldExpired,
		Headline: "Requests wait for an upstream and fail", Past: "Requests waited for an upstream and failed",
		Cause: "No upstream of pool {pool} became available within hold.for.",
		Do:    "Bring an upstream back. goodgate status shows the state of each.", DoPast: "The dashboard's timeline and the log say what was wrong with the upstreams. If a restart takes this long, raise hold.for or add an upstream.",
	}, {
		ID: NoUpstream, Level: Error, Reason: reason.NoUpstream,
		Headline: "Requests find no upstream", Past: "Requests found no upstream",
		Cause: "No upstream of pool {pool} was available, and goodgate did not hold the requests (hold.for: 0s) or could not.",
		Do:    "Bring an upstream back. goodgate status shows the state of each.", DoPast: "With hold.for, requests wait through a restart. With another upstream, they need not wait.",
	}, {
		ID: Overloaded, Level: Error, Reason: reason.Overloaded,
		Headline: "The pool is overloaded", Past: "The pool was overloaded",
		Cause: "More requests arrive than the upstreams of pool {pool} may have at once, so goodgate refuses some.", CausePast: "More requests arrived than the upstreams of pool {pool} may have at once, so goodgate refused some.",
		Do: "Add upstreams or make them faster. Raise the limit that is reached (max_in_flight, queue.max_requests, limits.max_requests) only if they can handle more.",
	}, {
		ID: Queueing, Level: Warning,
		Headline: "Requests queue",
		Cause:    "The upstreams of pool {pool} have as many requests in flight as they may have, so further requests queue.",
		Do:       "Add upstreams or make them faster, before the queue is full.",
	}, {
		ID: AtLimit, Level: Notice,
		Headline: "The pool is at its limit",
		Cause:    "Pool {pool} has as many requests in flight as it may have.",
		Do:       "The next requests queue. If this lasts, add upstreams.",
	}, {
		ID: RetriesStopped, Level: Warning,
		Headline: "Failed requests are not retried", Past: "Failed requests were not retried",
		Cause: "Too many requests to pool {pool} fail and use up its retry budget, or the pool is overloaded. More retries would add to the load.", CausePast: "Too many requests to pool {pool} failed and used up its retry budget, or the pool was overloaded. More retries would have added to the load.",
		Do: "Fix or drain the upstream that fails.",
	}, {
		ID: AllSlow, Level: Warning,
		Headline: "All upstreams answer slowly", Past: "All upstreams answered slowly",
		Cause: "Every upstream of pool {pool} takes long to answer, which points to a shared cause.", CausePast: "Every upstream of pool {pool} took long to answer, which points to a shared cause.",
		Do: "Check what all upstreams use: the database, the network, another service. Or the load is too high.",
	}, {
		ID: FailAlike, Level: Warning,
		Headline: "All upstreams fail in the same way", Past: "All upstreams failed in the same way",
		Cause: "All {of} upstreams of pool {pool} fail in the same way, which points to a shared cause: {error}.", CausePast: "All {of} upstreams of pool {pool} failed in the same way, which points to a shared cause: {error}.",
		Do: "Check what they share: the last deployment, the database, the network.",
	}, {
		ID: FallbackInUse, Level: Warning,
		Headline: "The fallback answers requests", Past: "The fallback answered requests",
		Cause: "Pool {pool} could not answer, so the route's fallback did.",
		Do:    "Bring the pool's own upstreams back.", DoPast: "If it happens again, find out why the pool's own upstreams fail.",
	}, {
		ID: StaleInUse, Level: Warning,
		Headline: "goodgate answers from older responses", Past: "goodgate answered from older responses",
		Cause: "Pool {pool} could not answer, so clients got older responses from the cache (stale-if-error).",
		Do:    "Bring the pool's own upstreams back.", DoPast: "If it happens again, find out why the pool's own upstreams fail.",
	}, {
		ID: RateLimited, Level: Notice, Reason: reason.RateLimited,
		Headline: "A rate limit refuses requests", Past: "A rate limit refused requests",
		Cause: "Some clients exceeded a configured rate and got 429.",
		Do:    "Nothing, if these clients are few or abusive. Otherwise raise the rate.",
	}, {
		ID: AuthAway, Level: Error, Reason: reason.AuthUnavailable,
		Headline: "The authorization service does not answer", Past: "The authorization service did not answer",
		Cause: "The service named by access.forward did not answer, or failed. Requests that need its decision got 503: {error}.",
		Do:    "Bring the service back. goodgate status shows its pool.", DoPast: "If it happens again, find out why the service fails.",
	}, {
		ID: Loop, Level: Error, Reason: reason.LoopDetected,
		Headline: "Requests come back to goodgate", Past: "Requests came back to goodgate",
		Cause: "A request arrived here a second time: an upstream address leads to goodgate's own listener, or to a proxy that sends requests back.",
		Do:    "Correct the upstream that leads back, or the proxy behind it.",
	}, {
		ID: UpgradeFails, Level: Error, Reason: reason.UpgradeUnsupported,
		Headline: "WebSockets cannot reach the upstreams", Past: "WebSockets could not reach the upstreams",
		Cause: "Clients asked pool {pool} for a WebSocket or another upgrade, but goodgate reaches its upstreams by HTTP/2 only.", CausePast: "Clients asked pool {pool} for a WebSocket or another upgrade, but goodgate reached its upstreams by HTTP/2 only.",
		Do: "Use protocol: auto or http1 for the pool.",
	}, {
		ID: ClientsLeave, Level: Warning, Reason: reason.ClientGone,
		Headline: "Clients leave before the answer", Past: "Clients left before the answer",
		Cause: "Clients of pool {pool} close their connections before an upstream answers: their timeout, or their patience, is shorter than the wait.", CausePast: "Clients of pool {pool} closed their connections before an upstream had answered: their timeout, or their patience, was shorter than the wait.",
		Do: "Make the answers faster, or add upstreams. If more requests arrive than the upstreams can answer, concurrency.adaptive: true or max_in_flight refuses the rest at once.",
	},
}
