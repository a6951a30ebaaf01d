package proxy

// Code generated from the defaults of the configuration file by TestDefaults in
// internal/assemble. DO NOT EDIT.

import (
	"net/http"
	"time"
)

// DefaultPoolOptions returns the default options of a pool in goodgate's configuration file:
// retries within a budget, hedges on evidence, a hold while no upstream is available, a
// queue, and limits on every wait. Each call returns a new value that the caller may change.
func DefaultPoolOptions() PoolOptions {
	return PoolOptions{
		Tunnel: Tunnel{
			Idle: 1 * time.Hour,
		},
		Timeouts: Timeouts{
			Dial:           1 * time.Second,
			TLS:            3 * time.Second,
			ResponseHeader: 30 * time.Second,
			Idle:           1 * time.Minute,
			KeepAlive:      1 * time.Minute,
			Ping:           15 * time.Second,
		},
		Retry: Retry{
			Attempts:   5,
			Statuses:   []int{502, 503, 504},
			Budget:     0.2,
			BudgetMin:  10,
			MaxBody:    65536,
			Backoff:    25 * time.Millisecond,
			MaxBackoff: 250 * time.Millisecond,
			Hedge: Hedge{
				Quantile:   0.95,
				MinDelay:   1 * time.Millisecond,
				Budget:     0.05,
				OnEvidence: true,
			},
		},
		Hold: Hold{
			For:         10 * time.Second,
			MaxRequests: 1000,
			MaxBody:     67108864,
		},
		Queue: Queue{
			MaxRequests: 1000,
			MaxWait:     500 * time.Millisecond,
		},
		Commit: Commit{
			Buffer: 65536,
			Resume: true,
		},
		MaxIdleConns: 256,
		Failures:     []int{502, 503, 504},
	}
}

// DefaultOptions returns the default options of the configuration file: the request fields
// to trust or to remove, the Via field, and the limits on clients. It sets no routes, and
// trusts no proxies. Each call returns a new value that the caller may change.
func DefaultOptions() Options {
	return Options{
		TrustedHeaders: []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id"},
		DropHeaders:    []string{"Proxy", "X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Rewrite-Url", "X-Original-Host", "X-Host", "X-Http-Host-Override", "X-Forwarded", "Forwarded-For", "X-Original-Forwarded-For", "Client-Ip", "X-Client-Ip", "X-Cluster-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "Fastly-Client-Ip", "Fly-Client-Ip", "X-Azure-Clientip", "X-Proxyuser-Ip", "X-Remote-Ip", "X-Remote-Addr", "X-Originating-Ip", "Proxy-Client-Ip", "Wl-Proxy-Client-Ip"},
		Via:            "goodgate",
		Listener: Listener{
			BodyIdle:  30 * time.Second,
			BodyRate:  500,
			WriteIdle: 30 * time.Second,
		},
	}
}

// defaultGrace is the time for requests in flight to end at shutdown.
const defaultGrace = 30 * time.Second

// defaultServer returns a server with the default limits of a listener in the configuration
// file.
func defaultServer() *http.Server {
	return &http.Server{ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 75 * time.Second, MaxHeaderBytes: 65536, DisableGeneralOptionsHandler: true}
}
