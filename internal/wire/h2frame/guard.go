package h2frame

import "net"

// preface is the length of what a client sends before its first frame.
const preface = 24

// Guard is a client's connection that watches the frames go by, and fails when
// the upstream widens a window too far: net/http's client locks up for good then,
// with all that use the connection. Reads belong to one goroutine, writes to
// another. Use NewGuard.
type Guard struct {
	net.Conn

	// In and Out are called with the frames that are read and about to be written;
	// nil = nobody is.
	In, Out func(Frame)

	in, out Scanner
	ahead   int // bytes that were scanned and have to be written again; the writer's
	windows windows
}

// NewGuard guards a connection on which nothing was written yet.
func NewGuard(c net.Conn) *Guard {
	return &Guard{Conn: c, out: Scanner{skip: preface}, windows: newWindows()}
}

// Read shows the frames to In before anybody else sees them.
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

// Write shows the frames to Out before the upstream can answer them. net/http
// writes again what took too long.
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

// Ended tells that a stream has ended.
func (g *Guard) Ended(stream uint32) { g.windows.end(stream) }
