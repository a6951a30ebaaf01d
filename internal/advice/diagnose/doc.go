// Package diagnose finds out why another proxy answers with bad gateways. It combines
// three sources: the configuration names the upstreams and the limits, the logs show
// the failures over time, and an examination of the upstreams shows the present state.
// Evidence for the same cause becomes one finding.
package diagnose
