package proxy

import (
	"net/http"
	"slices"

	"github.com/goodgate/goodgate/internal/wire/message"
)

// ResponseRule changes upstreams' answers with some statuses. It does not apply to errors
// that the proxy itself answers.
type ResponseRule struct {
	Statuses []int // of the upstream's answer; nil = all
	// Status replaces the status; 0 = unchanged. It does not apply to gRPC, or to answers
	// whose form depends on their status (1xx, 204, 205, 206, 304).
	Status  int
	Headers HeaderEdits

	values texts // of Headers
}

// preparedRules returns compiled copies.
func preparedRules(rules []ResponseRule) []ResponseRule {
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].values = rules[i].Headers.texts()
	}
	return rules
}

// applyRules applies each rule for the upstream's status to the answer's fields, in order.
// It returns the status for the client. The last new one counts.
func (x *exchange) applyRules(status int, h message.Editor) int {
	to := status
	for i := range x.route.ResponseRules {
		r := &x.route.ResponseRules[i]
		if r.Statuses != nil && !slices.Contains(r.Statuses, status) {
			continue
		}
		x.edit(h, &r.Headers, r.values, false)
		if r.Status != 0 && !boundToForm(status) && !x.grpc {
			to = r.Status
		}
	}
	return to
}

// boundToForm reports whether an answer with the status has a form of its own: no body, or
// a part of one (RFC 9110, section 15).
func boundToForm(status int) bool {
	return status < 200 || status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusPartialContent || status == http.StatusNotModified
}
