package proxy

import (
	"io"
	"testing"
	"time"

	"github.com/goodgate/goodgate/internal/wire/http1"
)

// sparse is a response body that delivers only a few bytes in time.
type sparse struct {
	http1.Body
	left int
}

func (s *sparse) ReadUntil(p []byte, _ time.Time) (int, error) {
	if s.left == 0 {
		return 0, http1.ErrNotYet
	}
	n := min(len(p), s.left)
	s.left -= n
	return n, nil
}

// The buffer of a response that is passed on grows with the received bytes, not with the
// announced length or the configured limit.
func TestCollectedFits(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ announced, comes, held int }{
		{largestCollect, 1, 4 << 10},
		{largestCollect, 5 << 10, 16 << 10},
		{largestCollect, 300 << 10, 1 << 20},
		{64 << 10, 1, 4 << 10},
		{64 << 10, 20 << 10, 64 << 10},
		{-1, 1, 4 << 10},
	} {
		var lent collectPool
		b := &collected{from: &sparse{left: tc.comes}, lent: &lent, limit: largestCollect}
		if failed := b.take(int64(tc.announced), time.Now()); failed != nil {
			t.Fatal(failed)
		}
		if got := len(b.room.bytes); got != tc.held {
			t.Errorf("%d of %d bytes came: %d are held, want %d", tc.comes, tc.announced, got, tc.held)
		}
		if n, _ := io.CopyN(io.Discard, b, int64(tc.comes)); n != int64(tc.comes) {
			t.Errorf("%d of %d bytes came: %d can be read", tc.comes, tc.announced, n)
		}
	}
}
