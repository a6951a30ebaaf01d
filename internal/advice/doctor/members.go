package doctor

import (
	"fmt"

	"github.com/goodgate/goodgate/internal/advice/finding"
)

// takenPorts are those that are known to be another's than that of an upstream whose port
// is wrong.
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

// compareMembers looks at upstreams that are several for one purpose: where others
// answer, one that does not has stopped.
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
			Stopped(&e.report.Findings[i], fmt.Sprintf("%d of %d upstreams of %s can be connected", answer[e.Group], members[e.Group], e.Group))
		}
	}
}

// Stopped corrects the finding that an upstream's port is wrong where there is
// evidence that it is right. Other findings stay as they are.
func Stopped(f *finding.Finding, evidence string) {
	if f.Code != "wrong_port" && f.Code != "nothing_listens" {
		return
	}
	f.Code, f.Confidence, f.Directive = "nothing_listens", finding.Certain, ""
	f.Because = "nothing listens there now, and the address is right"
	f.Seen += "; " + evidence
	f.Means = "the application at this address has stopped: it crashed, was ended, or is being restarted"
	f.Do = "start it again, and see in its log why it ended"
}
