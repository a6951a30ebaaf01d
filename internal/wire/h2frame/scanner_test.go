package h2frame

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// scan renders the frames that a scanner finds in data, given in portions.
func scan(data []byte, portion int) string {
	var found []string
	var s Scanner
	for len(data) > 0 {
		p := data[:min(portion, len(data))]
		data = data[len(p):]
		for f, ok := s.Next(&p); ok; f, ok = s.Next(&p) {
			switch {
			case f.setting != 0:
				found = append(found, fmt.Sprint(f.setting, "=", f.value))
			case f.Kind == WindowUpdate:
				found = append(found, fmt.Sprint(f.Kind, ":", f.Stream, "+", f.value))
			default:
				found = append(found, fmt.Sprint(f.Kind, ":", f.Stream, ":", f.Length, ":", f.Last))
			}
		}
	}
	return strings.Join(found, " ")
}

func TestScanner(t *testing.T) {
	var b bytes.Buffer
	f := http2.NewFramer(&b, nil)
	f.AllowIllegalWrites = true
	f.WriteSettings(http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: 1})
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: make([]byte, 20)})
	f.WriteContinuation(1, true, make([]byte, 5))
	f.WriteData(1, true, nil)
	f.WriteGoAway(3, http2.ErrCodeNo, []byte("good bye"))
	f.WriteRawFrame(http2.FrameGoAway, 0, 0, []byte("short"))
	f.WritePing(false, [8]byte{})
	f.WriteWindowUpdate(5, 7)
	f.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 8}, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	f.WriteSettingsAck()
	const want = "4:0:6:0 3=1 1:1:20:0 9:1:5:0 0:1:0:0 7:0:16:3 7:0:5:0 6:0:8:0 8:5+7 4:0:12:0 4=8 2=0 4:0:0:0"
	for portion := 1; portion <= b.Len(); portion++ {
		if got := scan(b.Bytes(), portion); got != want {
			t.Fatalf("in portions of %d: got %s, want %s", portion, got, want)
		}
	}
}

// Frames are the same for any division of the bytes.
func FuzzScanner(f *testing.F) {
	f.Add([]byte("\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00"), 3)
	f.Add([]byte("\x00\x00\x00\x04\x00\x00\x00\x00\x00"), 1)
	f.Fuzz(func(t *testing.T, data []byte, portion int) {
		if portion <= 0 {
			return
		}
		if got, want := scan(data, portion), scan(data, len(data)+1); got != want {
			t.Errorf("in portions of %d: got %s, want %s", portion, got, want)
		}
	})
}
