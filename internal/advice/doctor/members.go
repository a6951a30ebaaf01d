package doctor

import (
	"fmt"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// takenPorts returns the ports of known servers. None of them can be the right port of
// an upstream with a wrong one.
func takenPorts(targets []Target, own []string) map[string]bool {
	taken := map[string]bool{}
	for _, port := range own {
		taken[port] = true
	}
	for _, t := range targets {
		taken[portOf(t.Addr)] = true
	}
	return taken
}

// compareMembers compares the upstreams of each group. If others are reachable, an
// upstream that is not reachable has stopped.
func compareMembers(looks []*examination) {
	members, answer := map[string]int{}, map[string]int{}
	for _, e := range looks {
		members[e.Group]++
		if e.reached {
			answer[e.Group]++
		}
	}
	for _, e := range looks {
		if e.Group == "" || answer[e.Group] == 0 {
			continue
		}
		for i := range e.report.Findings {
			Stopped(&e.report.Findings[i], fmt.Sprintf("%d of %d upstreams of %s accept connections", answer[e.Group], members[e.Group], e.Group))
		}
	}
}

// Stopped corrects a finding of a wrong port if there is evidence that the port is
// right. It does not change other findings.
func Stopped(f *finding.Finding, evidence string) {
	if f.Code != "wrong_port" && f.Code != "nothing_listens" {
		return
	}
	f.Code, f.Confidence, f.Directive = "nothing_listens", finding.Certain, ""
	f.Because = "nothing listens there now, but the address is right"
	f.Seen += "; " + evidence
	f.Means = "the application at this address is down: it crashed, was stopped, or is restarting"
	f.Do = "start it again, and find out from its log why it ended"
}
