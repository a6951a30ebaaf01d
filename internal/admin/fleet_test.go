package admin

import (
	"slices"
	"testing"
	"time"
)

func TestFleetTroubles(t *testing.T) {
	own := FleetMember{Name: "a", Version: "1", Config: "x", Own: true}
	with := func(edit func(*FleetMember)) FleetMember {
		m := own
		m.Own = false
		edit(&m)
		return m
	}
	now := time.Now()
	for _, tc := range []struct {
		name string
		f    Fleet
		want []string
	}{
		{"alike", Fleet{Connected: true, Members: []FleetMember{own, with(func(*FleetMember) {})}}, nil},
		{"away", Fleet{Since: now, Error: "refused", Members: []FleetMember{own}}, []string{"fleet_store_away"}},
		{"version", Fleet{Connected: true, Members: []FleetMember{own, with(func(m *FleetMember) { m.Version = "2" })}}, []string{"fleet_members_differ"}},
		{"config", Fleet{Connected: true, Members: []FleetMember{own, with(func(m *FleetMember) { m.Config = "y" })}}, []string{"fleet_members_differ"}},
		{"another's clock", Fleet{Connected: true, Members: []FleetMember{own, with(func(m *FleetMember) { m.Clock = -60 })}}, nil},
		{"secret", Fleet{Connected: true, Strangers: 1, Members: []FleetMember{own}}, []string{"fleet_other_secret"}},
		{"own clock", Fleet{Connected: true, Members: []FleetMember{{Name: "a", Own: true, Clock: -60}}}, []string{"fleet_clock_differs"}},
	} {
		tc.f.Compare()
		var got []string
		for _, tr := range tc.f.troubles(now) {
			got = append(got, tr.Situation)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.name, got, tc.want)
		}
	}
	if (*Fleet)(nil).troubles(now) != nil {
		t.Error("who is alone has troubles of a fleet")
	}
}
