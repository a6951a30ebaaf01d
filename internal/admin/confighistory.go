package admin

import (
	"net/http"
	"strconv"
	"time"
)

// ConfigVersion is a configuration that was in use.
type ConfigVersion struct {
	N      int       `json:"n"`
	At     time.Time `json:"at" doc:"when goodgate first used it"`
	By     string    `json:"by" doc:"what made goodgate use it, such as start or SIGHUP"`
	Bytes  int       `json:"bytes"`
	SHA256 string    `json:"sha256" doc:"SHA-256 of the file's text"`
	InUse  bool      `json:"in_use"`
}

// ConfigDiff lists the differences between two configurations, without possible secrets.
type ConfigDiff struct {
	Changes []string `json:"changes"`
}

// RollbackOrder is the body of POST /v1/config/rollback.
type RollbackOrder struct {
	To int `json:"to" doc:"n of the version to use"`
}

func (s *Server) configEndpoints() []Endpoint {
	return []Endpoint{
		{Pattern: "GET /v1/config/history", Answers: []ConfigVersion{}, Handler: s.configHistory, Does: "The earlier configurations, latest first."},
		{Pattern: "GET /v1/config/history/{n}", Media: "application/yaml", Handler: s.configVersion, Refuses: []int{404, 409}, Does: "One earlier configuration, with defaults and without secrets."},
		{Pattern: "GET /v1/config/diff", Answers: ConfigDiff{}, Handler: s.configDiff, Refuses: []int{404, 409}, Does: "The differences between two configurations.",
			Query: []Param{{"a", "n of the earlier version; default the configuration in use.", "integer"}, {"b", "n of the later version; default the configuration in use.", "integer"}}},
		{Pattern: "POST /v1/config/rollback", Takes: RollbackOrder{}, Answers: Reloaded{}, Handler: s.rollback, Refuses: []int{400, 404, 422},
			Does: "Rolls back to an earlier configuration until the next reload of the file. Does not change the file."},
	}
}

func (s *Server) configHistory(w http.ResponseWriter, _ *http.Request) {
	reply(w, 200, s.opts.Control.ConfigHistory())
}

// kept returns the number of a kept version; 0 = the version in use. It refuses other
// numbers.
func (s *Server) kept(w http.ResponseWriter, text string) (int, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.Atoi(text)
	if err == nil {
		for _, v := range s.opts.Control.ConfigHistory() {
			if v.N == n {
				return n, true
			}
		}
	}
	refuse(w, 404, "no version "+text+" of the configuration is kept: goodgate config history lists the versions")
	return 0, false
}

func (s *Server) configVersion(w http.ResponseWriter, r *http.Request) {
	n, ok := s.kept(w, r.PathValue("n"))
	if !ok {
		return
	}
	text, err := s.opts.Control.ConfigVersion(n)
	if err != nil {
		refuse(w, 409, err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/yaml")
	w.Write(text)
}

func (s *Server) configDiff(w http.ResponseWriter, r *http.Request) {
	a, ok := s.kept(w, r.URL.Query().Get("a"))
	if !ok {
		return
	}
	b, ok := s.kept(w, r.URL.Query().Get("b"))
	if !ok {
		return
	}
	list, err := s.opts.Control.ConfigDiff(a, b)
	if err != nil {
		refuse(w, 409, err.Error())
		return
	}
	reply(w, 200, ConfigDiff{append([]string{}, list...)})
}

func (s *Server) rollback(w http.ResponseWriter, r *http.Request) {
	var o RollbackOrder
	if !Decode(w, r, &o) {
		return
	}
	n, ok := s.kept(w, strconv.Itoa(o.To))
	if !ok {
		return
	}
	list, err := s.opts.Control.Rollback(n, authorOf(r))
	if err != nil {
		refuse(w, http.StatusUnprocessableEntity, err.Error())
		return
	}
	reply(w, 200, Reloaded{append([]string{}, list...)})
}
