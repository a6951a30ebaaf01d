package config

import (
	"strings"
	"testing"
)

// TestFleetScope checks that limits for a whole fleet need a fleet.
func TestFleetScope(t *testing.T) {
	t.Parallel()
	const fleet = "fleet: {addresses: [\"a:1\"], secret: 0123456789abcdef}\n"
	for _, tc := range []struct{ fleet, limits, upstream, want string }{
		{fleet, "max_requests: 100, max_requests_scope: fleet", "max_in_flight: 9, max_in_flight_scope: fleet", ""},
		{fleet, "max_requests: 100", "max_in_flight: 9, max_in_flight_scope: instance", ""},
		{"", "max_requests: 100, max_requests_scope: instance", "max_in_flight: 9", ""},
		{fleet, "", "max_in_flight_scope: fleet", ""}, // a source may say max_in_flight
		{"", "max_requests: 100, max_requests_scope: fleet", "weight: 1", "pools.app.limits.max_requests_scope: found \"fleet\": fleet.addresses is missing"},
		{"", "", "max_in_flight: 9, max_in_flight_scope: fleet", "pools.app.upstreams[0].max_in_flight_scope: found \"fleet\": fleet.addresses is missing"},
		{fleet, "max_requests_scope: fleet", "weight: 1", "max_requests is missing"},
		{fleet, "max_requests: 100, max_requests_scope: all", "weight: 1", "must be one of instance, fleet"},
	} {
		text := tc.fleet + "listeners: [\":1\"]\npools: {app: {limits: {" + tc.limits + "}, upstreams: [{url: \"http://a:1\", " + tc.upstream + "}]}}"
		_, _, err := Parse("a.yaml", []byte(text), nil)
		if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", text, err, tc.want)
		}
	}
}
