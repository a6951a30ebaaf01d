package main

import (
	"bytes"
	"encoding/json"
	"time"
)

// queuedMax is how long a request may wait in goodgate's queue before that counts
// as a delay.
const queuedMax = 5 * time.Millisecond

// readLog counts, in what goodgate wrote, the requests that it refused for want
// of room, and those that it let wait in its queue for more than [queuedMax].
func readLog(wrote []byte) (refused, queued int) {
	for line := range bytes.Lines(wrote) {
		var r struct {
			Msg      string  `json:"msg"`
			Reason   string  `json:"reason"`
			QueuedMS float64 `json:"queued_ms"`
		}
		if json.Unmarshal(line, &r) != nil || r.Msg != "request" {
			continue
		}
		if r.Reason == "overloaded" {
			refused++
		}
		if r.QueuedMS > float64(queuedMax)/float64(time.Millisecond) {
			queued++
		}
	}
	return refused, queued
}
