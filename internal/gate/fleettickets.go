package gate

import (
	"encoding/json"
	"time"

	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/tickets"
)

// wordTickets is the key of the word with the TLS session ticket keys. Its value is
// sealed with the fleet's secret.
const wordTickets = "tickets"

// shareTickets makes all instances use the same session ticket keys, so that a client
// resumes its session at any instance. Each instance adds its own keys to those of the
// others; the newest key seals new tickets.
func (f *inFleet) shareTickets(ring *tickets.Ring) {
	tell := func() {
		text, err := json.Marshal(ring.Keys(time.Now()))
		if err == nil {
			f.Words().Set(wordTickets, text, time.Time{})
		}
	}
	f.follow(wordTickets, func(w fleet.Word) bool {
		var keys []tickets.Key
		if json.Unmarshal(w.Value, &keys) == nil && ring.Add(keys) {
			tell()
		}
		return true
	})
	ring.OnMade(tell)
	tell()
}
