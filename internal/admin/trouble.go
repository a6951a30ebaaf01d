package admin

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/goodgate/goodgate/internal/situation"
	"github.com/goodgate/goodgate/reason"
)

// Trouble is a situation that makes requests fail or slow, or soon will, or that the
// operator should know: in plain words, with the evidence.
type Trouble struct {
	Level     string    `json:"level"`     // error: clients see it; warning: they do not, or no longer; notice: no action needed
	Situation string    `json:"situation"` // its row in the table
	Pool      string    `json:"pool,omitempty"`
	Upstream  string    `json:"upstream,omitempty"`
	Reason    string    `json:"reason,omitempty"` // the reason in log and metrics, if any
	Headline  string    `json:"headline"`         // a short sentence, without the place
	Text      string    `json:"text"`             // the cause, and the evidence
	Do        string    `json:"do"`               // the next step; empty = none
	First     time.Time `json:"first,omitzero"`   // first occurrence, as far as known
	Last      time.Time `json:"last,omitzero"`
	Over      bool      `json:"over"` // it has passed

	level situation.Level
	id    situation.ID
}

// tell makes a trouble from a row of the table. It appends the evidence to the cause.
func tell(id situation.ID, f situation.Facts, over bool, evidence ...string) Trouble {
	row := situation.Of(id)
	if over {
		row = row.Over()
	}
	row = row.With(f)
	return Trouble{
		Situation: string(id), Pool: f.Pool, Upstream: f.Upstream, Reason: word(row.Reason), Headline: row.Headline,
		Text: sentences(append([]string{row.Cause}, evidence...)...), Do: row.Do, Over: over, level: row.Level, id: id,
	}
}

// raise sets the level: an error while clients get errors, and a notice if it is over and
// clients got none.
func (t *Trouble) raise(escaped bool) {
	switch {
	case t.Over && escaped:
		t.level = situation.Warning
	case t.Over:
		t.level = situation.Notice
	case escaped:
		t.level = situation.Error
	}
}

// troubles returns the troubles of a status, the worst first.
func (s *Server) troubles(out *Status) []Trouble {
	list := s.ownTroubles(out)
	for i := range out.Pools {
		list = append(list, out.Pools[i].troubles(out.Now)...)
	}
	return ranked(list)
}

// ranked sorts by level; within a level, ended troubles come last.
func ranked(list []Trouble) []Trouble {
	list = slices.DeleteFunc(list, func(t Trouble) bool { return t.level == situation.Silent })
	over := map[bool]int{true: 1}
	slices.SortStableFunc(list, func(a, b Trouble) int {
		return cmp.Or(cmp.Compare(b.level, a.level), cmp.Compare(over[a.Over], over[b.Over]))
	})
	for i := range list {
		list[i].Level = list[i].level.String()
	}
	return append([]Trouble{}, list...)
}

// ownTroubles returns those of goodgate itself.
func (s *Server) ownTroubles(out *Status) (list []Trouble) {
	if c := out.Config; c.Error != "" {
		t := tell(situation.ConfigFailed, situation.Facts{Error: c.Error, When: clock(c.Loaded, out.Now)}, false)
		t.First, t.Last = c.Failed, c.Failed
		list = append(list, t)
	}
	if n := out.Config.RolledBack; n > 0 {
		t := tell(situation.RolledBack, situation.Facts{N: n, When: clock(out.Config.Loaded, out.Now)}, false)
		t.First = out.Config.Loaded
		list = append(list, t)
	}
	if t, ok := faultTrouble(out); ok {
		list = append(list, t)
	}
	if s.opts.Control.Draining() {
		list = append(list, tell(situation.ShuttingDown, situation.Facts{}, false))
	}
	list = append(list, out.Fleet.troubles(out.Now)...)
	list = append(list, certificates(s.opts.Control.Certificates(), out.Now)...)
	if last, limit := s.opts.Control.OutOfFiles(); !last.IsZero() && out.Now.Sub(last) < time.Minute {
		t := tell(situation.OutOfFiles, situation.Facts{N: int(limit)}, out.Now.Sub(last) > recently, "The last time was "+clock(last, out.Now)+".")
		t.raise(true)
		t.Last = last
		list = append(list, t)
	}
	for _, c := range s.opts.Control.Crowds() {
		if t, ok := c.trouble(out.Now); ok {
			list = append(list, t)
		}
	}
	return append(list, strayTroubles(s.opts.Tally.strays(out.Now.Unix()), out.Now)...)
}

// strayTroubles returns those of requests that belong to no pool.
func strayTroubles(sum stray, now time.Time) (list []Trouble) {
	for _, id := range slices.Sorted(maps.Keys(sum.seen)) {
		s := sum.seen[id]
		switch {
		case id != situation.NoRoute:
			list = append(list, s.tell(id, "", uint64(sum.requests), false, now))
		case s.n >= manyLost && 2*s.n >= int(sum.requests):
			t := tell(id, situation.Facts{N: s.n, Of: int(sum.requests)}, now.Sub(s.last) > recently, "The last was at "+clock(s.last, now)+".")
			t.First, t.Last = s.first, s.last
			t.raise(false)
			list = append(list, t)
		}
	}
	return list
}

const (
	// recently is the age up to which the last occurrence counts as ongoing.
	recently = 10 * time.Second
	// manyLost is the number of requests without a route that is no accident.
	manyLost = 3
	// soon is the remaining validity of a certificate that causes a warning.
	soon = 7 * 24 * time.Hour
)

// certificates returns the troubles of the listeners' certificates.
func certificates(until map[string]time.Time, now time.Time) (list []Trouble) {
	for _, file := range slices.Sorted(maps.Keys(until)) {
		t := until[file]
		f := situation.Facts{File: file, Name: file, When: t.In(now.Location()).Format("2006-01-02 15:04 MST")}
		switch {
		case t.Unix() <= 0:
			list = append(list, tell(situation.OwnCertMissing, f, false))
		case !t.After(now):
			list = append(list, tell(situation.OwnCertExpired, f, false, fmt.Sprintf("That was %s ago.", days(now.Sub(t)))))
		case t.Sub(now) < soon:
			list = append(list, tell(situation.OwnCertExpires, f, false, fmt.Sprintf("That is in %s.", days(t.Sub(now)))))
		}
	}
	return list
}

func days(d time.Duration) string {
	if d >= 48*time.Hour {
		return counted(int(d/(24*time.Hour)), "day")
	}
	if d >= time.Hour {
		return counted(int(d/time.Hour), "hour")
	}
	return counted(int(d/time.Minute), "minute")
}

// lookup returns the trouble of a pool whose upstreams could not be looked up.
func (p *Pool) lookup(now time.Time) (Trouble, bool) {
	if p.SourceError == "" {
		return Trouble{}, false
	}
	id := situation.LookupFailed
	switch p.missing {
	case reason.DNSError:
		id = situation.LookupUnknown
	case reason.DNSTimeout:
		id = situation.LookupSilent
	}
	kept := ""
	if p.Available > 0 {
		kept = fmt.Sprintf("goodgate uses the upstreams found before (%d).", len(p.Upstreams))
	}
	t := tell(id, situation.Facts{Pool: p.Name, Error: p.SourceError}, false, kept, p.waiting(now))
	t.raise(p.Available == 0)
	return t, true
}
