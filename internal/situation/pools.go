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
		Cause:    "New requests for pool {pool} wait until the pause ends, at {when}. Those that wait for too long, or come when too many wait, get 503.",
		Do:       "goodgate resume {pool} lets them go on.",
	}, {
		ID: Maintenance, Level: Notice, Reason: reason.Maintenance,
		Headline: "The pool is in maintenance",
		Cause:    "Requests for pool {pool} get 503 and a page, except those of testers, because an operator or the configuration says so.",
		Do:       "goodgate maintenance off {pool} ends it.",
	}, {
		ID: LookupUnknown, Level: Warning, Reason: reason.DNSError,
		Headline: "The name of the upstreams does not resolve",
		Cause:    "Looking up the upstreams of pool {pool} failed: {error}.",
		Do:       "Check the name, its DNS records, and the name server: /etc/resolv.conf on this machine, or dns.resolver of the pool.",
	}, {
		ID: LookupSilent, Level: Warning, Reason: reason.DNSTimeout,
		Headline: "The resolver does not answer",
		Cause:    "Looking up the upstreams of pool {pool} failed: {error}.",
		Do:       "Check that the name servers can be reached: those in /etc/resolv.conf, or dns.resolver of the pool.",
	}, {
		ID: LookupFailed, Level: Warning,
		Headline: "The list of upstreams cannot be read",
		Cause:    "Looking up the upstreams of pool {pool} failed: {error}.",
		Do:       "Correct the list, or the entry under pools.{pool}.upstreams that names it.",
	}, {
		ID: PoolEmpty, Level: Error, Reason: reason.NoUpstream,
		Headline: "The pool has no upstreams",
		Cause:    "Discovery works, and finds no upstream for pool {pool}: the list is empty.",
		Do:       "Add upstreams to the list or the DNS record that pools.{pool}.upstreams names.",
	}, {
		ID: AllTakenOut, Level: Error, Reason: reason.NoUpstream,
		Headline: "All upstreams were taken out by an operator",
		Cause:    "Every upstream of pool {pool} ({of}) is drained or switched off. Requests wait (up to hold.for), then fail with 503.",
		Do:       "goodgate undrain ADDRESS gives an upstream requests again.",
	}, {
		ID: NoneAvailable, Level: Error, Reason: reason.NoUpstream,
		Headline: "No upstream is available",
		Cause:    "Pool {pool} has no upstream that can take a request. Requests wait (up to hold.for), then fail with 503.",
		Do:       "Bring one upstream back; the state of each is below.",
	}, {
		ID: SomeTakenOut, Level: Error, Reason: reason.NoUpstream,
		Headline: "No upstream is available, and an operator took some of them out",
		Cause:    "An operator took {n} of the {of} upstreams of pool {pool} out, and the others fail. Requests wait (up to hold.for), then fail with 503.",
		Do:       "goodgate undrain ADDRESS gives an upstream requests again; the state of each is below.",
	}, {
		ID: Starting, Level: Notice,
		Headline: "The upstreams are being checked for the first time",
		Cause:    "No upstream of pool {pool} has a result yet. Requests wait for the first one that passes (up to hold.for).",
	}, {
		ID: HeldOver, Level: Notice, Reason: reason.NoUpstream,
		Headline: "Requests wait for an upstream", Past: "Requests waited until an upstream was available",
		Cause: "No upstream of pool {pool} was available for a while, and requests were held.",
		Do:    "Bring an upstream back before hold.for ends.", DoPast: "Nothing, if it was a restart. With one more upstream, requests would not have to wait.",
	}, {
		ID: HoldExpired, Level: Error, Reason: reason.HoldExpired,
		Headline: "Requests wait in vain for an upstream", Past: "Requests waited in vain for an upstream",
		Cause: "No upstream of pool {pool} became available within hold.for.",
		Do:    "Bring an upstream back; goodgate status shows the state of each.", DoPast: "The time line of the dashboard, and the log, say what the upstreams had. If it was a restart that takes this long, raise hold.for, or add an upstream.",
	}, {
		ID: NoUpstream, Level: Error, Reason: reason.NoUpstream,
		Headline: "Requests find no upstream", Past: "Requests found no upstream",
		Cause: "No upstream of pool {pool} was available, and the requests were not held (hold.for: 0s), or could not be.",
		Do:    "Bring an upstream back; goodgate status shows the state of each.", DoPast: "hold.for lets requests wait through a restart; another upstream avoids the wait.",
	}, {
		ID: Overloaded, Level: Error, Reason: reason.Overloaded,
		Headline: "The pool is overloaded", Past: "The pool was overloaded",
		Cause: "More requests come than the upstreams of pool {pool} may have at once, so some are refused.", CausePast: "More requests came than the upstreams of pool {pool} may have at once, so some were refused.",
		Do: "Add upstreams or make them faster; raise the limit that is full (max_in_flight, queue.max_requests, limits.max_requests) only if they can take more.",
	}, {
		ID: Queueing, Level: Warning,
		Headline: "Requests queue for a place",
		Cause:    "As many requests are in flight as the upstreams of pool {pool} may have, and others wait for their turn.",
		Do:       "Add upstreams or make them faster, before the queue is full.",
	}, {
		ID: AtLimit, Level: Notice,
		Headline: "The pool is at its limit",
		Cause:    "Pool {pool} has as many requests in flight as it may have.",
		Do:       "If it stays so, add upstreams: the next requests queue.",
	}, {
		ID: RetriesStopped, Level: Warning,
		Headline: "Failed requests are not retried", Past: "Failed requests were not retried",
		Cause: "Too many requests to pool {pool} fail, so its retry budget is spent, or it is overloaded: further retries would add to the load.", CausePast: "Too many requests to pool {pool} failed, so its retry budget was spent, or it was overloaded: further retries would have added to the load.",
		Do: "Mend or take out the upstream that fails.",
	}, {
		ID: AllSlow, Level: Warning,
		Headline: "All upstreams answer slowly", Past: "All upstreams answered slowly",
		Cause: "Every upstream of pool {pool} takes long to answer, which points to something that they share.", CausePast: "Every upstream of pool {pool} took long to answer, which points to something that they share.",
		Do: "Look at what all upstreams use: the database, the network, another service, or the load itself.",
	}, {
		ID: FailAlike, Level: Warning,
		Headline: "All upstreams fail in the same way", Past: "All upstreams failed in the same way",
		Cause: "All {of} upstreams of pool {pool} fail alike, which points to something that they share: {error}.", CausePast: "All {of} upstreams of pool {pool} failed alike, which points to something that they share: {error}.",
		Do: "Look at what they share: the last deployment, the database, the network.",
	}, {
		ID: FallbackInUse, Level: Warning,
		Headline: "Requests are answered by the fallback", Past: "Requests were answered by the fallback",
		Cause: "Pool {pool} could not answer, and the route's fallback did.",
		Do:    "Bring the pool's own upstreams back.", DoPast: "If it happens again, find out why the pool's own upstreams fail.",
	}, {
		ID: StaleInUse, Level: Warning,
		Headline: "Requests are answered with older responses", Past: "Requests were answered with older responses",
		Cause: "Pool {pool} could not answer, and older responses from the cache were given instead (stale-if-error).",
		Do:    "Bring the pool's own upstreams back.", DoPast: "If it happens again, find out why the pool's own upstreams fail.",
	}, {
		ID: RateLimited, Level: Notice, Reason: reason.RateLimited,
		Headline: "Clients are refused by a rate limit", Past: "Clients were refused by a rate limit",
		Cause: "Some clients sent more requests than a configured rate allows, and got 429.",
		Do:    "Nothing, if they are few or abusive. Otherwise raise the rate.",
	}, {
		ID: AuthAway, Level: Error, Reason: reason.AuthUnavailable,
		Headline: "Nobody says who may come", Past: "Nobody said who may come",
		Cause: "The service that routes ask by access.forward did not answer, or failed, so their requests got 503: {error}.",
		Do:    "Bring the service back; goodgate status shows its pool.", DoPast: "If it happens again, find out why the service fails.",
	}, {
		ID: Loop, Level: Error, Reason: reason.LoopDetected,
		Headline: "Requests come back to goodgate", Past: "Requests came back to goodgate",
		Cause: "A request arrived here again: an upstream leads to goodgate's own listener, or to a proxy that sends requests back.",
		Do:    "Correct the upstream that leads back, or the proxy behind it.",
	}, {
		ID: UpgradeFails, Level: Error, Reason: reason.UpgradeUnsupported,
		Headline: "WebSockets cannot reach the upstreams", Past: "WebSockets could not reach the upstreams",
		Cause: "Clients asked pool {pool} for a WebSocket or another upgrade, and its upstreams are reached by HTTP/2 only.", CausePast: "Clients asked pool {pool} for a WebSocket or another upgrade, and its upstreams were reached by HTTP/2 only.",
		Do: "Use protocol: auto or http1 for the pool.",
	}, {
		ID: ClientsLeave, Level: Warning, Reason: reason.ClientGone,
		Headline: "Clients leave before the answer", Past: "Clients left before the answer",
		Cause: "Clients of pool {pool} close their connections before an upstream has answered: their timeout, or their patience, is shorter than the wait.", CausePast: "Clients of pool {pool} closed their connections before an upstream had answered: their timeout, or their patience, was shorter than the wait.",
		Do: "Make the answers faster, or add upstreams. If more requests come than the upstreams can answer, concurrency.adaptive: true or max_in_flight has the rest refused at once.",
	},
}
