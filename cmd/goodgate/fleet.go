package main

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/printable"
)

func showFleet(ctx context.Context, q *question) error {
	var answer json.RawMessage
	if err := q.Get(ctx, "/v1/fleet", &answer); err != nil {
		return err
	}
	var f admin.Fleet
	return q.print(answer, &f, func() { printFleet(q.out, &f) })
}

// connection describes the connection to the fleet's store.
func connection(f *admin.Fleet) string {
	if f.Connected {
		return "connected since " + f.Since.Format(time.DateTime)
	}
	return "its store has not answered since " + f.Since.Format(time.DateTime) + ": " + f.Error
}

// printFleet prints the members, with a mark at this one, and their differences from it.
func printFleet(out io.Writer, f *admin.Fleet) {
	printable.Fprintf(out, "%s, %s\n", count(len(f.Members), "instance"), connection(f))
	if f.Waiting > 0 {
		printable.Fprintf(out, "%s must still reach the store\n", count(f.Waiting, "change"))
	}
	if f.Strangers > 0 {
		printable.Fprintf(out, "not counted, because of a different fleet.secret: %s\n", count(f.Strangers, "instance"))
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	io.WriteString(w, "  INSTANCE\tZONE\tVERSION\tCONFIGURATION\tSINCE\tDIFFERS IN\n")
	for _, m := range f.Members {
		name := m.Name
		if m.Own {
			name += " (this one)"
		}
		printable.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%s\n", name, cmp.Or(m.Zone, "-"), cmp.Or(m.Version, "-"), m.Config, m.Since.Local().Format(time.DateTime), cmp.Or(strings.Join(m.Differs, ", "), "-"))
	}
	w.Flush()
	if c := f.Checks; c != nil {
		printable.Fprintf(out, "instances share the health checks: this one checks %d of %s\n", c.Here, count(c.Upstreams, "upstream"))
	}
	for _, s := range f.Shares {
		printable.Fprintf(out, "%s: this instance has %d of %d\n", s.Of, s.Share, s.Total)
	}
}
