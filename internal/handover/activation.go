package handover

import (
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// activated returns the sockets that systemd has opened for this process, with the
// address fd:NAME (sd_listen_fds(3)); nil if there are none.
func activated() (*Bundle, error) {
	var b *Bundle
	for _, f := range activation.Files(true) {
		l, err := net.FileListener(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("the socket %s from systemd: %w", f.Name(), err)
		}
		setUnlink(l, false) // it belongs to systemd
		if b == nil {
			b = &Bundle{}
		}
		b.Sockets = append(b.Sockets, Socket{Address: "fd:" + f.Name(), Listener: l})
	}
	return b, nil
}
