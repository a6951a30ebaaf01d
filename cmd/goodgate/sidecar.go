package main

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/goodgate/goodgate/internal/config"
)

// defaultAdmin is the default address of run --to's admin listener, where other commands
// look for it.
const defaultAdmin = "127.0.0.1:9900"

// defaultAdmins returns all default addresses: the next goodgate on a machine uses the
// next address.
func defaultAdmins() []string {
	list := []string{defaultAdmin}
	for port := 9901; port <= 9909; port++ {
		list = append(list, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return list
}

// adminOff turns the admin listener of run --to off.
const adminOff = "off"

// operator returns the admin listener of the flags. The token is the one that the other
// commands send.
func (f *runFlags) operator() config.Admin {
	a := config.Admin{Address: f.admin, Token: config.Secret(os.Getenv("GOODGATE_TOKEN"))}
	switch f.admin {
	case "":
		a.Address = f.free()[0]
	case adminOff:
		a.Address = ""
	}
	return a
}

// free returns the default addresses that no listener uses.
func (f *runFlags) free() []string {
	return slices.DeleteFunc(defaultAdmins(), func(a string) bool { return slices.Contains(f.listen, a) })
}

// adminSpares returns the other addresses for the admin listener. There are none if its
// address is configured. Otherwise the last one is any port, which the log reports,
// because a used address is not worth a failed start.
func (f *runFlags) adminSpares() []string {
	if f.file != "" || f.admin != "" {
		return nil
	}
	return append(f.free()[1:], "127.0.0.1:0")
}

// welcome returns a text with the addresses to open.
func welcome(c *config.Config, listeners []string, operator string) string {
	var from, to []string
	for i, address := range listeners {
		scheme := "http"
		if i < len(c.Listeners) && c.Listeners[i].TLS != nil {
			scheme = "https"
		}
		from = append(from, pointAt(scheme, address))
	}
	upstreams := 0
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		for _, u := range c.Pools[name].Upstreams {
			upstreams++
			to = append(to, strings.TrimPrefix(u.Source(), "url: "))
		}
	}
	if upstreams > 3 || len(c.Pools) > 1 {
		to = []string{count(len(c.Pools), "pool") + ", " + count(upstreams, "upstream")}
	}
	text := "proxying " + strings.Join(from, ", ") + " -> " + strings.Join(to, ", ")
	switch {
	case strings.HasPrefix(operator, "unix:"):
		text += "; goodgate status --admin " + operator
	case operator != "":
		text += "; dashboard " + pointAt("http", operator) + "/"
	}
	return text
}

// pointAt returns a listener's address for a browser on this machine.
func pointAt(scheme, address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || strings.HasPrefix(address, "unix:") {
		return address
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}
