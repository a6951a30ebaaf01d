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
		Cause:    "{upstream} receives requests.",
	}, {
		ID: Drained, Level: Notice,
		Headline: "An operator has drained the upstream",
		Cause:    "{upstream} receives no new requests because an operator drained it. Requests in flight finish.",
		Do:       "To put it back into service: goodgate undrain {upstream}.",
	}, {
		ID: SwitchedOff, Level: Notice,
		Headline: "An operator has switched the upstream off",
		Cause:    "{upstream} receives no requests and no health checks because an operator switched it off.",
		Do:       "To put it back into service: goodgate undrain {upstream}.",
	}, {
		ID: Leaving, Level: Notice,
		Headline: "The upstream is about to shut down",
		Cause:    "{upstream} asked goodgate to send no new requests (by Goodgate-Drain, by health.drain_status, or by a 503 that a health check confirmed).",
		Do:       "Nothing, if it is a deployment. Otherwise the application's log says why it shuts down.",
	}, {
		ID: FoundUnready, Level: Notice,
		Headline: "The upstream's source or agent says that it is not ready",
		Cause:    "{upstream} receives no requests because the source that lists it (for example Docker or Consul), or the agent on its machine, says that it is not ready.",
		Do:       "Look at its health check in that source: goodgate discover shows what the source says. The log has the agent's answers, with the message \"agent says\".",
	}, {
		ID: FoundEnding, Level: Notice,
		Headline: "The upstream's discovery source says that it is terminating",
		Cause:    "{upstream} receives no new requests because the source that lists it says that it is terminating or in maintenance. Requests in flight finish.",
		Do:       "Nothing, if it is a deployment or maintenance.",
	}, {
		ID: BreakerOpen, Level: Warning,
		Headline: "The upstream was ejected because requests to it failed",
		Cause:    "Too many live requests to {upstream} failed, so its circuit breaker is open. goodgate tries it again by itself.",
		Do:       "Look up the errors before the ejection: in the log, or by reason in goodgate_attempts_total.",
	}, {
		ID: Trial, Level: Notice,
		Headline: "The upstream is being tried again",
		Cause:    "{upstream} was ejected because requests to it failed. It now gets a few requests whose failure goodgate can hide from clients.",
	}, {
		ID: EarlyTrial, Level: Warning,
		Headline: "The upstream is tried early because no other is left",
		Cause:    "The circuit breaker of {upstream} is open, but lets a few requests through early.",
		Do:       "Bring another upstream back, and find out why the requests to this one failed.",
	}, {
		ID: CheckIsWrong, Level: Warning,
		Headline: "All health checks fail, but the upstreams answer requests",
		Cause:    "No upstream of pool {pool} passes its health check, yet they answer requests: most likely the check is wrong. Until one passes, only live traffic decides which upstreams get requests.",
		Do:       "Correct the pool's health section. goodgate check --probe shows the answer to each check.",
	}, {
		ID: CheckFails, Level: Warning,
		Headline: "The upstream fails its health check",
		Cause:    "The health check of {upstream} does not pass.",
		Do:       "goodgate check --probe shows the answer to the check.",
	}, {
		ID: NotChecked, Level: Notice,
		Headline: "The upstream has not been checked yet",
		Cause:    "{upstream} receives no requests until its first health check passes.",
	}, {
		ID: Warming, Level: Silent,
		Headline: "The upstream is warming up",
		Cause:    "{upstream} came back a moment ago. Its share of the requests rises step by step (slow_start).",
	}, {
		ID: Slow, Level: Warning,
		Headline: "The upstream answers slowly", Past: "The upstream answered slowly",
		Cause: "{upstream} takes long to answer. Time that requests wait in goodgate does not count.", CausePast: "{upstream} took long to answer. Time that requests waited in goodgate does not count.",
		Do: "Find out what the application waits for: its database, its processors, another service. If it gets more requests than it can answer, add upstreams or limit its requests (concurrency.adaptive: true, or max_in_flight).",
	}, {
		ID: Flapping, Level: Warning,
		Headline: "The upstream is flapping", Past: "The upstream was flapping",
		Cause: "{upstream} became unavailable and available again, over and over.",
		Do:    "Look for an application that restarts in a loop, or for a health check with too short a timeout.",
	}, {
		ID: HalfDeadName, Level: Warning,
		Headline: "{n} of {of} addresses of {name} cannot be used", Past: "{n} of {of} addresses of {name} could not be used",
		Cause: "The name {name} resolves to {of} addresses, and {upstream} does not work: {error}.", CausePast: "The name {name} resolves to {of} addresses, and {upstream} did not work: {error}.",
		Do: "Remove the address from DNS, or start the application there.",
	},
}
