package admin

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/goodgate/goodgate/internal/printable"
	"github.com/goodgate/goodgate/internal/split"
)

// Overview is the data of the dashboard's first screen: one line per pool, with little
// more than a hundred bytes each.
type Overview struct {
	Gate
	Troubles []Group        `json:"troubles"` // the worst first; alike ones are joined
	Pools    []PoolLine     `json:"pools"`
	Failures []Failure      `json:"failures"`          // the latest, at most three alike
	Events   []Event        `json:"events"`            // the latest
	Splits   []split.Report `json:"splits,omitempty"`  // of routes, by their names
	Mirrors  []MirrorLine   `json:"mirrors,omitempty"` // the same
	Changes  []Shown        `json:"changes"`           // by operators, beside the configuration file; the latest
}

// Gate is the state of goodgate that every screen shows.
type Gate struct {
	Version string      `json:"version"`
	PID     int         `json:"pid"`
	Now     time.Time   `json:"now"`
	Started time.Time   `json:"started"`
	State   string      `json:"state"` // serving or draining
	Config  ConfigState `json:"config"`
	Fleet   *Fleet      `json:"fleet,omitempty"` // absent = no fleet
}

// PoolLine is a pool in one line. Counts are of the last minute.
type PoolLine struct {
	Name      string         `json:"name"`
	Available int            `json:"available"`
	Total     int            `json:"upstreams"`
	States    map[string]int `json:"states"`           // number of upstreams by state
	Letters   string         `json:"letters"`          // the states of the first upstreams, one letter each
	Level     string         `json:"level,omitempty"`  // of the worst trouble; empty without
	Causes    []string       `json:"causes,omitempty"` // reasons of troubles, the worst first
	Rate      float64        `json:"requests_per_second"`
	Sums
	P50MS     float64  `json:"p50_ms,omitempty"` // to the end of the response; absent with few requests
	P99MS     float64  `json:"p99_ms,omitempty"` // the same
	LongestMS float64  `json:"longest_ms"`       // 0 = no request
	InFlight  int      `json:"in_flight"`
	Places    int      `json:"places"` // 0 = no limit
	Waiting   int      `json:"waiting"`
	Spark     []uint32 `json:"spark"`            // requests of the last ten minutes, per ten seconds
	Seen      []uint32 `json:"errors,omitempty"` // errors that clients saw, like Spark; absent if none
}

// Failure is a request in which something failed, without its details.
type Failure struct {
	ID         string    `json:"id"`
	Start      time.Time `json:"start"`
	Method     string    `json:"method"`
	Path       string    `json:"path"`
	Pool       string    `json:"pool,omitempty"`
	Upstream   string    `json:"upstream,omitempty"`
	Status     int       `json:"status"`
	Reason     string    `json:"reason,omitempty"`
	AbsorbedBy string    `json:"absorbed_by,omitempty"`
	Hidden     string    `json:"hidden,omitempty"`
	MS         float64   `json:"ms"`
}

// Bounds of an overview.
const (
	mostLetters    = 40
	shownCauses    = 3
	overviewEvents = 20
	shownChanges   = 20
	overviewPath   = 200 // bytes of a failure's path
)

// letters are the letters of states in [PoolLine.Letters].
var letters = map[string]byte{
	stAvailable: 'a', evSlow: 's', stTrusted: 'u', stTrial: 't', stChecking: 'c', stDown: 'd', stEjected: 'e',
	stLeaving: 'l', stUnready: 'n', stEnding: 'm', stDrained: 'r', stOff: 'o',
}

// newest returns the latest changes, as many as a screen shows.
func newest(list []Shown) []Shown { return list[max(0, len(list)-shownChanges):] }

func (s *Server) overview() *Overview {
	all := s.status()
	out := &Overview{
		Gate: s.gate(all), Troubles: grouped(all.Troubles), Pools: make([]PoolLine, len(all.Pools)), Failures: briefly(all.Failures),
		Events: s.opts.Journal.line.of("", overviewEvents), Splits: all.Splits, Mirrors: s.mirrorLines(), Changes: newest(all.Changes),
	}
	byPool := map[string][]Trouble{}
	for _, t := range all.Troubles {
		byPool[t.Pool] = append(byPool[t.Pool], t)
	}
	for i := range all.Pools {
		p := &all.Pools[i]
		out.Pools[i] = s.lineOf(p, byPool[p.Name], all.Now.Unix())
	}
	return out
}

func (s *Server) gate(all *Status) Gate {
	return Gate{all.Version, all.PID, all.Now, s.opts.Journal.started, all.State, all.Config, all.Fleet}
}

func briefly(list []*Request) []Failure {
	out := make([]Failure, len(list))
	for i, q := range list {
		out[i] = Failure{q.ID, q.Start, q.Method, cut(q.Path, overviewPath), q.Pool, q.Upstream, q.Status, q.Reason, q.AbsorbedBy, q.Hidden, q.MS}
	}
	return out
}

func (s *Server) lineOf(p *Pool, troubles []Trouble, now int64) PoolLine {
	requests, escaped := s.opts.Journal.history.spark(p.Name, now)
	m := &p.Minute
	line := PoolLine{
		Name: p.Name, Available: p.Available, Total: len(p.Upstreams), States: map[string]int{}, Rate: p.Demand.Rate,
		Sums: m.Sums, P50MS: m.P50MS, P99MS: m.P99MS, LongestMS: m.LongestMS,
		InFlight: p.InFlight, Places: p.Places, Waiting: p.Waiting + p.Demand.Queued, Spark: requests,
	}
	if sum(escaped) > 0 {
		line.Seen = escaped
	}
	var row strings.Builder
	for i := range p.Upstreams {
		state := stateOf(p.Upstreams[i].Situation)
		line.States[state]++
		if i < mostLetters {
			row.WriteByte(letters[state])
		}
	}
	line.Letters = row.String()
	line.blame(troubles)
	return line
}

// blame adds troubles to the line. They come with the worst first.
func (p *PoolLine) blame(troubles []Trouble) {
	for _, t := range troubles {
		if p.Level == "" {
			p.Level = t.Level
		}
		why := t.Reason
		if why == "" {
			continue
		}
		if len(p.Causes) < shownCauses && !slices.Contains(p.Causes, why) {
			p.Causes = append(p.Causes, why)
		}
	}
}

func sum(list []uint32) (n int) {
	for _, v := range list {
		n += int(v)
	}
	return n
}

// compact writes v as JSON without spaces, for answers that are requested every few
// seconds.
func compact(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false) // no browser takes it for HTML: see guard
	if err := e.Encode(v); err != nil {
		refuse(w, 500, err.Error())
		return
	}
	w.Write(printable.JSON(body.Bytes()))
}
