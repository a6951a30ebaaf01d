package deploy

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

// Endpoints returns the engine's part of the operator's API.
func (e *Engine) Endpoints(by func(*http.Request) string) []admin.Endpoint {
	order := func(w http.ResponseWriter, r *http.Request) {
		var o Order
		if !admin.Decode(w, r, &o) {
			return
		}
		v, err := e.Order(o, by(r))
		status := http.StatusCreated
		if o.DryRun {
			status = http.StatusOK
		}
		answer(w, status, v, err)
	}
	act := func(do func(pool, by string) (View, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			v, err := do(r.PathValue("pool"), by(r))
			answer(w, http.StatusOK, v, err)
		}
	}
	one := func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.Atoi(r.FormValue("after"))
		if r.FormValue("after") != "" && err != nil {
			refuse(w, wrong("after: %q is not a number", r.FormValue("after")))
			return
		}
		v, err := e.Get(r.PathValue("pool"), after)
		answer(w, http.StatusOK, v, err)
	}
	return []admin.Endpoint{
		{Pattern: "POST /v1/deploys", Takes: Order{}, Answers: View{}, Status: http.StatusCreated, Handler: order, Refuses: []int{400, 404, 409}, Does: "Starts to replace the upstreams of a pool with new ones."},
		{Pattern: "GET /v1/deploys", Answers: []View{}, Handler: func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, e.All(), nil) }, Does: "The deploys in progress, and the last deploy of each other pool."},
		{Pattern: "GET /v1/deploys/{pool}", Answers: View{}, Handler: one, Refuses: []int{400, 404}, Query: []admin.Param{{Name: "after", Does: "Number of the last known event: the answer has only later events.", Kind: "integer"}}, Does: "The deploy in progress in a pool, or else the last one."},
		{Pattern: "POST /v1/deploys/{pool}/back", Answers: View{}, Handler: act(e.Back), Refuses: []int{404, 409}, Does: "Rolls a deploy back."},
		{Pattern: "POST /v1/deploys/{pool}/promote", Answers: View{}, Handler: act(e.Promote), Refuses: []int{404, 409}, Does: "Sends all requests to the new upstreams at once. If they have all requests already, drains the old upstreams now."},
	}
}

func answer(w http.ResponseWriter, status int, v any, err error) {
	if err != nil {
		refuse(w, err)
		return
	}
	write(w, status, v)
}

// statusOf returns the HTTP status for an error.
func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrOrder):
		return http.StatusBadRequest
	case errors.Is(err, ErrNoPool), errors.Is(err, ErrNoDeploy):
		return http.StatusNotFound
	}
	return http.StatusConflict
}

func refuse(w http.ResponseWriter, err error) {
	write(w, statusOf(err), struct {
		Error string `json:"error"`
	}{err.Error()})
}

func write(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	e := json.NewEncoder(printable.Writer{To: w, Form: printable.JSON})
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	e.Encode(v)
}
