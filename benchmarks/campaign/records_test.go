package main

import "testing"

func TestReadLog(t *testing.T) {
	t.Parallel()
	refused, queued := readLog([]byte(`{"level":"INFO","msg":"serving","queued_ms":50}
{"msg":"request","status":200}
{"msg":"request","status":200,"queued_ms":5}
{"msg":"request","status":200,"queued_ms":5.1}
{"msg":"request","status":503,"queued_ms":50,"reason":"overloaded"}
{"msg":"request","status":503,"reason":"unavailable"}
panic: {"msg":"request","queued_ms":50}
{"msg":"request","queued_ms":7`))
	if refused != 1 || queued != 2 {
		t.Errorf("got %d refused and %d queued, want 1 and 2", refused, queued)
	}
}
