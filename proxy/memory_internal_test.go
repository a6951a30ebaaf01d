package proxy

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/goodgate/goodgate/balancer"
	"github.com/goodgate/goodgate/internal/lab/heaptest"
)

// TestByClientMemory: with the PROXY protocol, the number of transports kept for clients
// stays within the limit of idle connections, however many clients come.
func TestByClientMemory(t *testing.T) {
	const most, each = 256, 4 << 10
	p := newPool(balancer.Options{Name: "app"}, PoolOptions{ProxyProtocol: ProxyV2, MaxIdleConns: most})
	kept := heaptest.Kept(t, func() any {
		c := newByClient(&endpoint{opts: &p.opts, host: "a:80", scheme: "http"})
		for n := range uint32(20 * most) {
			var ip [4]byte
			binary.BigEndian.PutUint32(ip[:], n)
			c.of(ProxyV2.header(netip.AddrPortFrom(netip.AddrFrom4(ip), 1), netip.AddrPort{}))
		}
		return c
	})
	heaptest.Within(t, "clients", kept, most*each)
}
