//go:build !minimal

package main

import (
	"strings"
	"testing"
)

// TestFault runs the fault command as an operator does.
func TestFault(t *testing.T) {
	o := serving(t)
	for _, tc := range []struct {
		args string
		code int
		says string
	}{
		{"", 0, "no injected faults"},
		{"--delay 1s", 2, "needs the argument ROUTE"},
		{"route-2 --share 5%", 2, "exactly one of --delay, --abort, --cut and --throttle"},
		{"route-2 --delay 1s --abort 503", 2, "exactly one of --delay"},
		{"route-2 --cut soon", 2, "--cut soon: expected a size"},
		{"route-2 --share many --abort 503", 2, "--share many: expected a ratio"},
		{"route-2 --abort 503 --end", 2, "--end takes no other flags"},
		{"route-2 --abort 503 --for 48h", 1, "must be from 1s to 24h"},
		{"rout-2 --abort 503", 1, "did you mean route-2?"},
		{"route-2 --abort 503 --share 5% --header X-Fault=abort --header X-Any --for 1h --why test", 0, "route route-2: abort with 503 for 5 % of the requests with X-Any and X-Fault, until"},
		{"route-2 --throttle 10KiB", 0, "throttle to 10240 bytes a second for all requests"},
		{"", 0, "abort with 503 for 5 % of the requests with X-Any and X-Fault"},
		{"route-1", 0, "no injected faults"},
		{"--end --kind throttle", 0, "ended on route route-2: throttle"},
		{"route-2", 0, "abort with 503"},
		{"route-2 --end --why done", 0, "ended on route route-2: abort with 503"},
		{"route-2 --end", 0, "no operator has injected a fault there"},
	} {
		stdout, stderr, code := command(append([]string{"fault", "--admin", o.admin}, strings.Fields(tc.args)...)...)
		if code != tc.code || !strings.Contains(stdout+stderr, tc.says) {
			t.Errorf("fault %s: exit code %d, want %d\n%s%s\nwant %s", tc.args, code, tc.code, stdout, stderr, tc.says)
		}
	}
	if stdout, _, _ := command("changes", "--admin", o.admin); !strings.Contains(stdout, "no changes") {
		t.Errorf("changes:\n%s", stdout)
	}
}
