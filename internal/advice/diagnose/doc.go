// Package diagnose says why a proxy that someone already runs answers with bad
// gateways: it joins its configuration, its logs and a look at its upstreams.
//
// The configuration names the upstreams and what is allowed, the logs what
// happened and since when, the look what is the case now. What points to the
// same cause becomes one finding with all the evidence.
package diagnose
