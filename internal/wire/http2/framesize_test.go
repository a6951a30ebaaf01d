package http2

import (
	"bytes"
	"testing"

	"golang.org/x/net/http2"
)

// However the upstream's settings come, the frame size in them is the least one,
// and everything else stays as it is.
func TestFrameLimit(t *testing.T) {
	t.Parallel()
	stream := func(size uint32) []byte {
		var b bytes.Buffer
		fr := http2.NewFramer(&b, nil)
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1 << 20},
			http2.Setting{ID: http2.SettingMaxFrameSize, Val: size}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 5})
		fr.WriteSettingsAck()
		fr.WriteData(1, false, []byte{0, 5, 0, 16, 0, 0})
		fr.WriteSettings(http2.Setting{ID: http2.SettingMaxFrameSize, Val: size})
		fr.WritePing(false, [8]byte{0, 5, 0, 16})
		return b.Bytes()
	}
	want := stream(mostSent)
	for part := 1; part <= len(want); part++ {
		var l frameLimit
		got := stream(1 << 20)
		for rest := got; len(rest) > 0; {
			n := min(part, len(rest))
			l.apply(rest[:n])
			rest = rest[n:]
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("in parts of %d: got % x, want % x", part, got, want)
		}
	}
}
