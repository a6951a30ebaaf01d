package limit

import (
	"net"
	"testing"
)

func TestCount(t *testing.T) {
	from := func(ip string) net.Addr { return &net.UDPAddr{IP: net.ParseIP(ip), Port: 1} }
	n := Connections{Max: 3, PerClient: 2}.Count()
	var leaves []func()
	for i, tt := range []struct {
		ip   string
		want bool
	}{
		{"2001:db8::1", true},
		{"2001:db8::2", true},  // the same /64
		{"2001:db8::3", false}, // the third connection of one client
		{"2001:db8:0:1::1", true},
		{"10.0.0.1", false}, // the fourth connection in total
	} {
		leave, ok := n.Enter(from(tt.ip))
		if ok != tt.want {
			t.Fatalf("%d, %s: got %v, want %v", i, tt.ip, ok, tt.want)
		}
		if ok {
			leaves = append(leaves, leave)
		}
	}
	leaves[0]()
	if _, ok := n.Enter(from("2001:db8::3")); !ok {
		t.Error("no room after one has left")
	}
	if _, ok := n.Enter(from("2001:db8::3")); ok {
		t.Error("room for two after one has left")
	}
}
