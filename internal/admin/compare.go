package admin

// usual is how an upstream answered before the last minute. Old answers fade, so that it
// remembers about an hour.
type usual struct{ answered, slow, errors float64 }

const (
	remembered = 360 // pieces of ten seconds: an hour
	someUsual  = 20  // the least number of answers to compare with
)

// add adds a piece that has left the last minute.
func (u *usual) add(p *piece) {
	if p.answered == 0 {
		return
	}
	const kept = 1 - 1.0/remembered
	u.answered = u.answered*kept + float64(p.answered)
	u.slow = u.slow*kept + float64(p.slow.times())
	u.errors = u.errors*kept + float64(p.passed.times())
}

// rest sums up the last minute of the pool's other upstreams.
func (u *Upstream) rest(p *Pool) (sum usual) {
	for i := range p.Upstreams {
		if o := &p.Upstreams[i].Minute; o != &u.Minute {
			sum.answered += float64(o.Answered)
			sum.slow += float64(o.Slow)
			sum.errors += float64(o.Errors)
		}
	}
	return sum
}

// verdict is the result of a comparison.
type verdict uint8

const (
	notSlow     verdict = iota
	slowAlone           // slower than the others, or than its own past
	slowUnknown         // nothing to compare with
)

// slowAnswers judges the slow answers. Slow answers alone prove nothing: a long poll is
// slow by its nature. An upstream is slow if it has more of them than the others, or than
// it had before.
func (u *Upstream) slowAnswers(p *Pool) verdict {
	m := &u.Minute
	if m.Slow < someSlow || m.Slow*slowShare < m.Answered {
		return notSlow
	}
	others := u.rest(p)
	switch {
	case others.answered >= someSlow && more(m.Slow, m.Answered, others.slow, others.answered):
		return slowAlone
	case m.before.answered < someUsual:
		return slowUnknown
	case more(m.Slow, m.Answered, m.before.slow, m.before.answered):
		return slowAlone
	}
	return notSlow
}

// more reports whether n of so many answers exceed the expectation from the others' rate,
// allowing for chance.
func more(n, of int, others, ofOthers float64) bool {
	return float64(n) >= 2*float64(of)*others/ofOthers+3
}

// errs reports whether the application answers more requests with its own errors than on
// the other upstreams, or than before. Some errors prove nothing: the application decides
// about them.
func (u *Upstream) errs(p *Pool) bool {
	m := &u.Minute
	if m.Errors < someSent || m.Errors*sentShare < m.Answered {
		return false
	}
	o, b := u.rest(p), &m.before
	return o.answered >= someUsual && more(m.Errors, m.Answered, o.errors, o.answered) ||
		b.answered >= someUsual && more(m.Errors, m.Answered, b.errors, b.answered)
}

// oftenLate reports whether many requests to the upstream were late, so that another
// upstream was also asked and answered first, while requests to the other upstreams were
// not late.
func (u *Upstream) oftenLate(p *Pool) bool {
	m := &u.Minute
	if p.unequal || m.Late < someSlow || m.Late*slowShare < m.Attempts {
		return false
	}
	attempts, late := 0, 0
	for i := range p.Upstreams {
		if o := &p.Upstreams[i].Minute; o != m {
			attempts += o.Attempts
			late += o.Late
		}
	}
	return m.Late*attempts >= 2*late*m.Attempts
}
