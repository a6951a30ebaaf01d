package situation

// States of an upstream, independent of the last minute.
const (
	Drained      ID = "drained_by_operator"
	SwitchedOff  ID = "switched_off_by_operator"
	Leaving      ID = "upstream_leaving"
	FoundUnready ID = "found_not_ready"
	FoundEnding  ID = "found_terminating"
	BreakerOpen  ID = "breaker_open"
	Trial        ID = "trial"
	EarlyTrial   ID = "early_trial"
	CheckIsWrong ID = "health_check_wrong"
	NotChecked   ID = "not_checked_yet"
	CheckFails   ID = "check_fails"
	Warming      ID = "warming_up"
	Slow         ID = "slow"
	Flapping     ID = "flapping"
	HalfDeadName ID = "half_dead_name"
	Healthy      ID = "healthy"
)

var states = []Row{
	{
		ID: Healthy, Level: Silent,
		Headline: "The upstream is available",
		Cause:    "{upstream} takes requests.",
	}, {
		ID: Drained, Level: Notice,
		Headline: "An operator has drained the upstream",
		Cause:    "{upstream} takes no new requests, because an operator said so; those in flight go on.",
		Do:       "goodgate undrain {upstream} gives it requests again.",
	}, {
		ID: SwitchedOff, Level: Notice,
		Headline: "An operator has switched the upstream off",
		Cause:    "{upstream} takes no requests and is not checked, because an operator said so.",
		Do:       "goodgate undrain {upstream} gives it requests again.",
	}, {
		ID: Leaving, Level: Notice,
		Headline: "The upstream is about to shut down",
		Cause:    "{upstream} has asked for no new requests itself (Goodgate-Drain, health.drain_status, or a 503 that a health check has confirmed).",
		Do:       "Nothing, if it is a deployment. Otherwise the application's log says why it shuts down.",
	}, {
		ID: FoundUnready, Level: Notice,
		Headline: "The upstream is not ready, by the place where it was found",
		Cause:    "{upstream} takes no requests, because the source that lists it (such as Docker or Consul) says that it is not ready.",
		Do:       "Look at its own health check there; goodgate discover shows what the source says.",
	}, {
		ID: FoundEnding, Level: Notice,
		Headline: "The upstream is about to end, by the place where it was found",
		Cause:    "{upstream} takes no new requests, because the source that lists it says that it terminates or is in maintenance; those in flight go on.",
		Do:       "Nothing, if it is a deployment or maintenance.",
	}, {
		ID: BreakerOpen, Level: Warning,
		Headline: "The upstream was taken out because its requests failed",
		Cause:    "Too many live requests to {upstream} failed, so its circuit breaker is open. It is tried again on its own.",
		Do:       "Look at which errors it had before it was taken out: in the log, and in goodgate_attempts_total by reason.",
	}, {
		ID: Trial, Level: Notice,
		Headline: "The upstream is being tried again",
		Cause:    "{upstream} was out because its requests failed. A few requests whose failure can be hidden now find out whether it works.",
	}, {
		ID: EarlyTrial, Level: Warning,
		Headline: "The upstream is tried early, because no other is left",
		Cause:    "The circuit breaker of {upstream} is open, and lets a few requests through before its time.",
		Do:       "Bring another upstream back, and find out why the requests to this one failed.",
	}, {
		ID: CheckIsWrong, Level: Warning,
		Headline: "Every health check fails, but the upstreams answer requests",
		Cause:    "No upstream of pool {pool} passes its health check, and the requests to them are answered: the check most likely asks for the wrong thing. Live traffic alone decides until one passes.",
		Do:       "Correct the pool's health section; goodgate check --probe shows what each check gets.",
	}, {
		ID: CheckFails, Level: Warning,
		Headline: "The upstream fails its health check",
		Cause:    "The health check of {upstream} does not pass.",
		Do:       "goodgate check --probe shows what the check gets.",
	}, {
		ID: NotChecked, Level: Notice,
		Headline: "The upstream has not been checked yet",
		Cause:    "{upstream} takes no requests before its first health check has passed.",
	}, {
		ID: Warming, Level: Silent,
		Headline: "The upstream is warming up",
		Cause:    "{upstream} came back a moment ago, and gets its full share step by step (slow_start).",
	}, {
		ID: Slow, Level: Warning,
		Headline: "The upstream answers slowly", Past: "The upstream answered slowly",
		Cause: "{upstream} takes long to answer the requests that it gets. The time that they wait in goodgate is not included.", CausePast: "{upstream} took long to answer the requests that it got. The time that they waited in goodgate is not included.",
		Do: "Find what the application waits for: its database, its processors, another service. If it simply gets more requests than it can answer, add upstreams, or limit what it gets (concurrency.adaptive: true, or max_in_flight).",
	}, {
		ID: Flapping, Level: Warning,
		Headline: "The upstream comes and goes", Past: "The upstream came and went",
		Cause: "{upstream} became unavailable and available again, over and over.",
		Do:    "Look for an application that restarts in a loop, or for a health check with too short a timeout.",
	}, {
		ID: HalfDeadName, Level: Warning,
		Headline: "{n} of {of} addresses of {name} cannot be used", Past: "{n} of {of} addresses of {name} could not be used",
		Cause: "The name {name} leads to {of} addresses, and {upstream} does not work: {error}.", CausePast: "The name {name} leads to {of} addresses, and {upstream} did not work: {error}.",
		Do: "Remove the address from DNS, or start the application there.",
	},
}
