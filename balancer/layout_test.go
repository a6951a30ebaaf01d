package balancer

import (
	"testing"
	"unsafe"
)

// TestLayout: what a pick reads of a member fits two cache lines. With 10,000
// members every line more is one more miss a candidate.
func TestLayout(t *testing.T) {
	t.Parallel()
	var u Upstream
	const lines = 2 * 64
	if end := unsafe.Offsetof(u.breaker) + unsafe.Sizeof(u.breaker.word); end > lines {
		t.Errorf("what a pick reads ends at byte %d, want %d at most", end, lines)
	}
}
