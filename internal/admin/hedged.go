package admin

import (
	"github.com/goodgate/goodgate/proxy"
)

// suspected returns the suspicion for which an attempt was hedged: the word of
// [proxy.Attempt.Because], empty without a hedge.
func suspected(r *proxy.Record, i int) string {
	next := -1
	for j := range r.Attempts {
		if a := &r.Attempts[j]; a.Because != "" && a.After >= r.Attempts[i].After && j != i && (next < 0 || a.After < r.Attempts[next].After) {
			next = j
		}
	}
	if next < 0 {
		return ""
	}
	return r.Attempts[next].Because
}

// hangs reports whether the suspicion is that the upstream does not react at all.
func hangs(because string) bool { return because == "hung" || because == "not_acknowledged" }

// suspicions explain each suspicion in plain words.
var suspicions = map[string]string{
	"late":             "it was late",
	"not_sent":         "there was no connection to it yet",
	"not_acknowledged": "its machine acknowledged no data: the connection or the network was dead",
	"hung":             "it did not answer a health check either",
}
