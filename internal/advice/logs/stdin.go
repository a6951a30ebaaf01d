package logs

import (
	"context"
	"io"
	"os"
	"time"

	"github.com/charmbracelet/x/term"
)

// standardInput reads the output of another program, or a file.
func standardInput(ctx context.Context, f *File, in *os.File, l Limits) (io.Reader, error) {
	info, err := in.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case term.IsTerminal(in.Fd()):
		return nil, &NotFileError{"-", "a terminal"}
	case info.IsDir():
		return nil, &NotFileError{"-", "a directory"}
	case info.Mode().IsRegular():
		return in, nil
	}
	return &pipe{ctx: ctx, f: f, in: in, idle: l.Idle}, nil
}

// pipe reads without ever blocking in the read call, so that the context can end it. It
// does not change the mode of the descriptor, which others may share.
type pipe struct {
	ctx  context.Context
	f    *File
	in   *os.File
	idle time.Duration
}

// look is the interval at which a pipe checks its context.
const look = 50 * time.Millisecond

func (p *pipe) Read(b []byte) (int, error) {
	for waited := time.Duration(0); ; waited += look {
		if p.ctx.Err() != nil {
			return 0, context.Cause(p.ctx)
		}
		if waited >= p.idle {
			p.f.note("no more data came for %s", p.idle)
			return 0, io.EOF
		}
		ready, err := readable(p.in, look)
		if err != nil {
			return 0, err
		}
		if ready {
			return p.in.Read(b)
		}
	}
}
