package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/charmbracelet/x/term"
)

const (
	// MaxRate limits the load, in requests per second. Beyond it the demo would show
	// the limits of the machine and not the faults.
	MaxRate = 5000

	frameEvery = 200 * time.Millisecond
	// endFor bounds the wait for requests in flight at the end of the demo.
	endFor = 5 * time.Second
)

// Options configure the demo.
type Options struct {
	Rate   int           // requests per second, 1 to [MaxRate]; 0 = 200
	For    time.Duration // 0 = until the context ends
	Listen string        // address of the proxy; empty = a free port on 127.0.0.1
	// Timeout bounds the time until a backend begins its answer; 0 = 500 ms.
	Timeout time.Duration
	Plain   bool      // write a line per second instead of the live view
	Seed    uint64    // seed for the order of the methods
	Script  []Step    // nil = [Script]
	Out     io.Writer // nil = no output; the live view needs a terminal
}

// Run shows the demo until ctx ends, its time is over or the user ends it. It returns
// the counts. It returns an error if the demo cannot start or the script cannot run.
func Run(ctx context.Context, o Options) (Summary, error) {
	if err := o.Check(); err != nil {
		return Summary{}, err
	}
	o = o.withDefaults()
	d := &demo{opts: o, stats: newStats(), ledger: newLedger()}
	defer d.close()
	if err := d.open(); err != nil {
		return Summary{}, err
	}
	if o.For > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.For)
		defer cancel()
	}
	err := d.run(ctx)
	return d.summary(), err
}

// Check returns an error if the options are invalid.
func (o Options) Check() error {
	var errs []error
	if o.Rate < 0 || o.Rate > MaxRate {
		errs = append(errs, fmt.Errorf("--rate %d: expected a number from 1 to %d", o.Rate, MaxRate))
	}
	if o.For < 0 {
		errs = append(errs, fmt.Errorf("--for %v: expected a duration of 0 or more", o.For))
	}
	if o.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout %v is negative", o.Timeout))
	}
	return errors.Join(append(errs, checkScript(o.Script))...)
}

func (o Options) withDefaults() Options {
	o.Rate = cmp.Or(o.Rate, 200)
	o.Timeout = cmp.Or(o.Timeout, 500*time.Millisecond)
	o.Listen = cmp.Or(o.Listen, "127.0.0.1:0")
	if o.Script == nil {
		o.Script = Script()
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if f, ok := o.Out.(*os.File); !ok || !term.IsTerminal(f.Fd()) {
		o.Plain = true
	}
	return o
}

// demo is one run.
type demo struct {
	opts     Options
	stats    *stats
	ledger   *ledger
	backends []*backend
	gate     *gate
	start    time.Time
	took     time.Duration
}

// open starts the backends and the proxy.
func (d *demo) open() error {
	for i := range backendCount {
		b, err := newBackend(fmt.Sprintf("backend %d", i+1), d.ledger)
		if err != nil {
			return err
		}
		d.backends = append(d.backends, b)
	}
	var err error
	d.gate, err = openGate(d.opts, d.backends, d.stats)
	return err
}

// close stops everything that open has started.
func (d *demo) close() {
	if d.gate != nil {
		d.gate.close()
	}
	for _, b := range d.backends {
		b.close()
	}
}

// run executes the script under load until ctx ends or something stops it. It ends the
// faults before it waits for the last answers, so that an end in the middle of a
// restart loses no request.
func (d *demo) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	abort, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	d.start = time.Now()
	var (
		wg      sync.WaitGroup
		failure error
		viewErr error
	)
	wg.Go(func() {
		failure = d.play(ctx)
		cancel()
	})
	wg.Go(func() {
		viewErr = d.show(ctx)
		cancel()
	})
	wg.Go(func() { d.newLoad().run(ctx, abort, d.start) })
	<-ctx.Done()
	giveUp := time.AfterFunc(endFor, abandon)
	defer giveUp.Stop()
	wg.Wait()
	d.took = time.Since(d.start)
	return errors.Join(failure, viewErr)
}

func (d *demo) newLoad() *load {
	return &load{
		client: &client{addr: d.gate.addr},
		stats:  d.stats,
		rate:   d.opts.Rate,
		posts:  func(t time.Duration) bool { return postsAt(d.opts.Script, t) },
		random: rand.New(rand.NewPCG(d.opts.Seed, 0)),
	}
}

// play sets the faults of the script, and finally ends them.
func (d *demo) play(ctx context.Context) error {
	if len(d.opts.Script) == 0 {
		<-ctx.Done()
		return nil
	}
	for round := time.Duration(0); ; round += length(d.opts.Script) {
		for _, s := range d.opts.Script {
			if !waitUntil(ctx, d.start.Add(round+s.At)) {
				return nil
			}
			if err := d.setAll(ctx, s.Backend, s.Fault); err != nil {
				return err
			}
			done := waitUntil(ctx, d.start.Add(round+s.At+s.For))
			if err := d.setAll(context.WithoutCancel(ctx), s.Backend, NoFault); err != nil {
				return err
			}
			if !done {
				return nil
			}
		}
	}
}

// setAll sets the fault of one backend, or of all at the same time.
func (d *demo) setAll(ctx context.Context, which int, f Fault) error {
	errs := make([]error, len(d.backends))
	var wg sync.WaitGroup
	for i, b := range d.backends {
		if which == everyBackend || which == i {
			wg.Go(func() { errs[i] = b.set(ctx, f) })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (d *demo) summary() Summary {
	s := d.stats.summary()
	s.Took = d.took
	s.Posts, s.Double = d.ledger.counts()
	return s
}
