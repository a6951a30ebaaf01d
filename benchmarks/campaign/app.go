package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	healthPath = "/healthz"

	// Uploads to these paths are answered with 413 before they are read. Then the
	// connection is closed. The second path closes it at once and discards the received
	// bytes.
	refusedPath, slammedPath = "/refused", "/slammed"

	idHeader = "X-Campaign-Id"

	bodySize = 2048
	cutAt    = 700 // bytes of the body before the break
	slowFor  = 2 * time.Second

	silentMax = 30 * time.Second
	listenMax = 3 * time.Second
)

// fault is the fault of a backend.
type fault string

const (
	healthy     fault = "healthy"
	refuse      fault = "refuse"       // shuts down gracefully, and stops listening at the beginning
	vanish      fault = "vanish"       // the same, but closes idle connections without notice
	silent      fault = "silent"       // accepts all requests, including health checks and OPTIONS *, and answers none
	badGateway  fault = "bad-gateway"  // answers 502
	flaky       fault = "flaky"        // answers 503 to one request in five
	cutBody     fault = "cut-body"     // closes in the middle of a response's body
	slow        fault = "slow"         // answers after 2 s
	sickHealth  fault = "sick-health"  // answers 500 only to health checks
	hangUp      fault = "hang-up"      // closes after reading the request
	reset       fault = "reset"        // resets after reading the request
	resetHeader fault = "reset-header" // resets in the middle of a response's header
	garbage     fault = "garbage"      // answers with bytes that are not HTTP
	unavailable fault = "unavailable"  // answers 503
	resetBody   fault = "reset-body"   // resets in the middle of a response's body
	cutFile     fault = "cut-file"     // closes in the middle of a file, or of a range of it
	goAway      fault = "go-away"      // closes the connection after one answer in twenty; GOAWAY in HTTP/2
	twofold     fault = "twofold"      // takes twice as long
	tenfold     fault = "tenfold"      // takes ten times as long
)

// well reports whether a backend with the fault executes requests correctly.
func (f fault) well() bool {
	switch f {
	case healthy, slow, sickHealth, goAway, twofold, tenfold:
		return true
	}
	return false
}

// app is the application that a backend process runs.
type app struct {
	addr string
	idle time.Duration // idle time after which a connection is closed; 0 = never
	work time.Duration // duration of an answer
	lone bool          // one worker executes one request at a time
	ran  io.Writer     // gets a line at the begin and the end of each execution

	speaks protocol
	cert   string // file with certificate and key, for https

	fault atomic.Value // has a fault
	turn  sync.Mutex   // the turn of a lone worker

	serving *serving // nil while it refuses; belongs to the goroutine of obey
	serves  sync.WaitGroup
}

// playBackend is the main function of a backend process; args are from
// [backend.command]. It adopts the faults that standard input names, until that ends.
func playBackend(args []string) error {
	if len(args) != 6 {
		return fmt.Errorf("a backend takes address, idle, work, lone, protocol and certificate: got %q", args)
	}
	idle, err1 := time.ParseDuration(args[1])
	work, err2 := time.ParseDuration(args[2])
	lone, err3 := strconv.ParseBool(args[3])
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	a := &app{addr: args[0], idle: idle, work: work, lone: lone, speaks: protocol(args[4]), cert: args[5], ran: os.Stdout}
	return a.obey(os.Stdin)
}

// obey serves with the faults named on in, until in ends.
func (a *app) obey(in io.Reader) error {
	a.fault.Store(healthy)
	if err := a.listen(); err != nil {
		return err
	}
	defer func() {
		if a.serving != nil {
			a.serving.server.Close()
		}
		a.serves.Wait()
	}()
	fmt.Fprintln(a.ran, readyLine)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		f := fault(lines.Text())
		a.fault.Store(f)
		down := f == refuse || f == vanish
		switch {
		case down && a.serving != nil:
			s := a.serving
			a.serving = nil
			a.serves.Go(func() { s.end(f == refuse) })
		case !down && a.serving == nil:
			if err := a.listen(); err != nil {
				return err
			}
		}
	}
	return lines.Err()
}

func (a *app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, _ := a.fault.Load().(fault)
	switch {
	case f == silent:
		wait(r.Context(), silentMax)
		panic(http.ErrAbortHandler)
	case r.Method == http.MethodOptions && r.URL.Path == "*":
		return
	case r.URL.Path == healthPath:
		if f == sickHealth {
			w.WriteHeader(http.StatusInternalServerError)
		}
		return
	}
	if r.URL.Path == filePath {
		serveFile(w, r, f)
		return
	}
	if r.URL.Path == refusedPath || r.URL.Path == slammedPath {
		say(w, tooLarge, r.URL.Path == slammedPath)
		return
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return
	}
	// A proxy cannot know that a request without an answer, or with 502, was not
	// executed. So it counts as executed.
	if id := r.Header.Get(idHeader); id != "" {
		io.WriteString(a.ran, r.Method+" "+id+"\n")
		defer io.WriteString(a.ran, endMark+r.Method+" "+id+"\n")
	}
	if kind, d, ok := longPath(r.URL.Path); ok {
		serveLong(w, r, kind, d)
		return
	}
	a.answer(w, r, f)
}

const tooLarge = "HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 10\r\n\r\ntoo large\n"

func halfAnswer() string {
	return "HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(bodySize) + "\r\n\r\n" + strings.Repeat("x", cutAt)
}

func (a *app) answer(w http.ResponseWriter, r *http.Request, f fault) {
	switch f {
	case badGateway:
		w.WriteHeader(http.StatusBadGateway)
		return
	case unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case goAway:
		if rand.IntN(20) == 0 {
			w.Header().Set("Connection", "close") // net/http sends a GOAWAY in HTTP/2
		}
	case flaky:
		if rand.IntN(5) == 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
	case hangUp:
		panic(http.ErrAbortHandler)
	case reset:
		say(w, "", true)
		return
	case resetHeader:
		say(w, "HTTP/1.1 200 OK\r\nContent-Type: text/pl", true)
		return
	case garbage:
		say(w, "\x15\x03\x01 this is no HTTP\r\n\r\n", false)
		return
	case cutBody, resetBody:
		if r.ProtoMajor == 2 {
			w.Header().Set("Content-Length", strconv.Itoa(bodySize))
			io.WriteString(w, strings.Repeat("x", cutAt))
			http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler) // resets the stream
		}
		say(w, halfAnswer(), f == resetBody)
		return
	case slow:
		wait(r.Context(), slowFor)
	}
	a.toil(r.Context(), f)
	w.Header().Set("Content-Length", strconv.Itoa(bodySize))
	io.WriteString(w, strings.Repeat("x", bodySize))
}

// toil waits for the duration of an answer.
func (a *app) toil(ctx context.Context, f fault) {
	if a.lone {
		a.turn.Lock()
		defer a.turn.Unlock()
	}
	work := a.work
	switch f {
	case twofold:
		work *= 2
	case tenfold:
		work *= 10
	}
	wait(ctx, work)
}

// say sends text, which need not be a response, and closes the connection, with rst
// abruptly.
func say(w http.ResponseWriter, text string, rst bool) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer c.Close()
	io.WriteString(c, text)
	if secured, ok := c.(*tls.Conn); ok && rst {
		defer c.Close()
		c = secured.NetConn()
	}
	if tcp, ok := c.(*net.TCPConn); ok && rst {
		// Without a pause, the reset would overtake the bytes sent just before.
		wait(context.Background(), time.Millisecond)
		tcp.SetLinger(0)
	}
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
