package fleet

import (
	"context"
	"sync"
	"time"
)

const (
	// reportEvery is the interval of reports that are not urgent. Instances extrapolate
	// the rates of the others between reports, so that a fourth of this interval would
	// not make a rate more exact.
	reportEvery = 400 * time.Millisecond
	// hurryGap is the least time between two reports when one is urgent.
	hurryGap = 10 * time.Millisecond
)

// reporter reports to the engine the tokens that the rates have spent.
type reporter struct {
	fleet *Fleet
	soon  chan struct{}

	mu   sync.Mutex // protects list
	list []due      // possible reports
}

// due is a key of a rate.
type due struct {
	rate *Rate
	key  uint64
}

func (p *reporter) init(f *Fleet) { p.fleet, p.soon = f, make(chan struct{}, 1) }

func (p *reporter) add(d ...due) {
	p.mu.Lock()
	p.list = append(p.list, d...)
	p.mu.Unlock()
}

// hurry makes run report at once.
func (p *reporter) hurry() {
	select {
	case p.soon <- struct{}{}:
	default:
	}
}

func (p *reporter) run(ctx context.Context) {
	timer := time.NewTimer(reportEvery)
	defer timer.Stop()
	var last time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-p.soon:
			if gap := hurryGap - time.Since(last); gap > 0 {
				timer.Reset(gap)
				continue
			}
		}
		last = time.Now()
		if !p.fleet.away.Load() {
			p.report(ctx)
		}
		timer.Reset(reportEvery)
	}
}

// report reports everything that is due.
func (p *reporter) report(ctx context.Context) {
	p.mu.Lock()
	list := p.list
	p.list = nil
	p.mu.Unlock()
	if len(list) == 0 {
		return
	}
	now := time.Now()
	uses, told, again := make([]Use, 0, len(list)), make([]due, 0, len(list)), list[:0]
	for _, d := range list {
		u, ok, later := d.rate.report(d.key, now)
		if ok {
			uses, told = append(uses, u), append(told, d)
		}
		if later {
			again = append(again, d)
		}
	}
	p.add(again...)
	if len(uses) == 0 {
		return
	}
	var levels []Level
	err := p.fleet.call(ctx, func(ctx context.Context) (err error) {
		levels, err = p.fleet.engine.Take(ctx, uses)
		return err
	})
	now = time.Now()
	for i, d := range told {
		var again bool
		if err == nil {
			again = d.rate.learn(d.key, uses[i].Tokens, levels[i], now)
		} else {
			again = d.rate.unreported(d.key, uses[i].Tokens, now)
		}
		if again {
			p.add(d)
		}
	}
}
