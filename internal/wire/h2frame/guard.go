package h2frame

import "net"

// preface is the length of the bytes that a client sends before its first frame.
const preface = 24

// Guard is a client connection that reads the frames as they pass, and fails if the
// upstream increases a flow-control window too far: net/http's client would then lock
// up permanently, with all users of the connection. Reads belong to one goroutine,
// writes to another. Create it with [NewGuard].
type Guard struct {
	net.Conn

	// In and Out are called with the frames that were read and those about to be
	// written; nil = not called.
	In, Out func(Frame)

	in, out Scanner
	ahead   int // scanned bytes that must be written again; belongs to the writer
	windows windows
}

// NewGuard guards a connection before its first write.
func NewGuard(c net.Conn) *Guard {
	return &Guard{Conn: c, out: Scanner{skip: preface}, windows: newWindows()}
}

// Read passes the frames to In before it returns them.
func (g *Guard) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	rest := p[:n]
	for f, ok := g.in.Next(&rest); ok; f, ok = g.in.Next(&rest) {
		if wrong := g.check(f); wrong != nil {
			return 0, wrong
		}
		if g.In != nil {
			g.In(f)
		}
	}
	return n, err
}

func (g *Guard) check(f Frame) error {
	switch {
	case f.Kind == WindowUpdate:
		return g.windows.grant(f.Stream, int64(f.value))
	case f.Kind == Settings && f.setting == initialWindowSize:
		g.windows.start(f.value)
	}
	return nil
}

// Write passes the frames to Out before the upstream can answer them. After a timeout,
// net/http writes the same bytes again.
func (g *Guard) Write(p []byte) (int, error) {
	rest := p[min(g.ahead, len(p)):]
	for f, ok := g.out.Next(&rest); ok; f, ok = g.out.Next(&rest) {
		switch f.Kind {
		case Data:
			g.windows.grant(f.Stream, -int64(f.Length))
		case Headers:
			g.windows.open(f.Stream)
		}
		if g.Out != nil {
			g.Out(f)
		}
	}
	n, err := g.Conn.Write(p)
	g.ahead = len(p) - n
	return n, err
}

// Ended records that a stream has ended.
func (g *Guard) Ended(stream uint32) { g.windows.end(stream) }
