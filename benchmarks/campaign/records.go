package main

import (
	"bytes"
	"encoding/json"
	"time"
)

// queuedMax is the longest wait in goodgate's queue that does not count as a delay.
const queuedMax = 5 * time.Millisecond

// readLog counts, in goodgate's output, the requests that it refused at a limit, and
// those that waited in its queue for more than [queuedMax].
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
