package logging

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"time"
)

// Limits for the connection to a syslog server.
const (
	dialTimeout  = 5 * time.Second
	sendTimeout  = 10 * time.Second
	minPause     = 100 * time.Millisecond // after a failure
	maxPause     = 5 * time.Second
	syslogPrefix = "syslog+"
)

// remote sends framed messages to a syslog server. While the server is away it waits,
// and later messages wait in the Writer's buffer.
type remote struct {
	network, address string
	datagrams        bool
	newline          bool        // ends each message on a stream; false = its length precedes it
	tls              *tls.Config // nil = without TLS
	trouble          edge        // whether the server can be reached

	ctx      context.Context // cancelled by Interrupt
	stop     context.CancelFunc
	conn     net.Conn      // nil = none
	release  func() bool   // detaches conn from ctx
	gone     chan struct{} // closed when the server has closed a stream
	watching sync.WaitGroup
}

// edge reports once that something begins to fail, and with nil that it works again.
type edge struct {
	report  func(error)
	failing bool
}

func (e *edge) now(err error) {
	if failing := err != nil; failing != e.failing {
		e.failing = failing
		if e.report != nil {
			e.report(err)
		}
	}
}

// newRemote returns a remote for an address such as syslog+tcp://host:601. It connects
// with the first message. newline is as in [Syslog], config is for TLS.
func newRemote(output string, newline bool, config *tls.Config, trouble func(error)) *remote {
	kind, address, _ := strings.Cut(strings.TrimPrefix(output, syslogPrefix), "://")
	r := &remote{network: kind, address: address, newline: newline, trouble: edge{report: trouble}}
	switch kind {
	case "unix":
		r.network, r.datagrams = "unixgram", true
	case "udp":
		r.datagrams, r.address = true, withPort(address, "514")
	case "tcp":
		r.address = withPort(address, "601")
	case "tls":
		r.network, r.address, r.tls = "tcp", withPort(address, "6514"), config.Clone()
		if host, _, err := net.SplitHostPort(r.address); err == nil && r.tls.ServerName == "" {
			r.tls.ServerName = host
		}
	}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

func withPort(address, port string) string {
	if _, _, err := net.SplitHostPort(address); err == nil {
		return address
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), port)
}

// Write sends complete messages. It returns an error only after Interrupt.
func (r *remote) Write(p []byte) (sent int, err error) {
	pause := minPause
	for sent < len(p) {
		n, err := r.send(p[sent:])
		sent += n
		if err == nil {
			r.trouble.now(nil)
			continue
		}
		r.hangUp()
		if r.ctx.Err() != nil {
			return sent, err
		}
		r.trouble.now(err)
		if n > 0 {
			pause = minPause
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-r.ctx.Done():
			timer.Stop()
			return sent, errors.Join(err, r.ctx.Err())
		}
		pause = min(2*pause, maxPause)
	}
	return sent, nil
}

// send sends as much as possible, and returns the length of the completely sent
// messages.
func (r *remote) send(p []byte) (sent int, err error) {
	if err := r.connect(); err != nil {
		return 0, err
	}
	r.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	if err := r.ctx.Err(); err != nil {
		return 0, err // Interrupt may have set the deadline
	}
	switch {
	case r.datagrams:
		for sent < len(p) {
			begin, end := frame(p[sent:])
			if _, err := r.conn.Write(p[sent+begin : sent+end]); err != nil {
				return sent, err
			}
			sent += end
		}
		return sent, nil
	case r.newline:
		lines, ends := asLines(p)
		n, err := r.conn.Write(lines)
		for _, end := range ends {
			if end.line > n {
				break
			}
			sent = end.frame
		}
		return sent, err
	}
	n, err := r.conn.Write(p)
	return wholeFrames(p, n), err
}

// ends are the ends of a message as a line and as a frame.
type ends struct{ line, frame int }

// asLines returns the messages of p, each with a newline in place of its length.
func asLines(p []byte) (lines []byte, at []ends) {
	lines = make([]byte, 0, len(p))
	for done := 0; done < len(p); {
		begin, end := frame(p[done:])
		lines = append(append(lines, p[done+begin:done+end]...), '\n')
		done += end
		at = append(at, ends{len(lines), done})
	}
	return lines, at
}

// wholeFrames returns the length of the messages of p that are completely within its
// first n bytes.
func wholeFrames(p []byte, n int) (whole int) {
	for whole < len(p) {
		_, end := frame(p[whole:])
		if whole+end > n {
			break
		}
		whole += end
	}
	return whole
}

// connect opens a connection if there is none, or if the server has closed it.
func (r *remote) connect() error {
	if r.conn != nil && !r.datagrams {
		select {
		case <-r.gone:
			r.hangUp()
		default:
		}
	}
	if r.conn != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.ctx, dialTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, r.network, r.address)
	if err != nil {
		return err
	}
	if r.tls != nil {
		secure := tls.Client(conn, r.tls)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			return err
		}
		conn = secure
	}
	r.conn, r.release = conn, context.AfterFunc(r.ctx, func() { conn.SetDeadline(time.Now()) })
	if !r.datagrams {
		r.watch(conn)
	}
	return nil
}

// watch notices that the server has closed a stream. A message written after that would
// be lost, because the kernel accepts it.
func (r *remote) watch(conn net.Conn) {
	gone := make(chan struct{})
	r.gone = gone
	r.watching.Go(func() {
		io.Copy(io.Discard, conn)
		close(gone)
	})
}

func (r *remote) hangUp() {
	if r.conn != nil {
		r.release()
		r.conn.Close()
		r.conn = nil
	}
	r.watching.Wait()
}

// Interrupt makes a waiting Write return.
func (r *remote) Interrupt() { r.stop() }

// Close closes the connection. No Write may be in progress.
func (r *remote) Close() error {
	r.hangUp()
	r.stop()
	return nil
}
