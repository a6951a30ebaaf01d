package nginxlog

// Cause is why a request failed, as far as one line of a log tells.
type Cause uint8

const (
	Other Cause = iota // nothing about upstreams or limits

	ConnectRefused
	ConnectTimeout
	ConnectUnreachable // no route to host, network is unreachable
	ConnectForbidden   // permission denied, for TCP
	NoLocalPort        // cannot assign requested address
	LocalAddress       // proxy_bind's address cannot be used
	SocketMissing      // no such file, for a unix socket
	SocketForbidden    // permission denied, for a unix socket
	SocketBacklog      // try again, for a unix socket
	UpstreamAddress    // proxy_pass made something that is no address
	ResponseTimeout    // reading the response header
	ResponseStalled    // reading the response body
	SendTimeout        // sending the request
	ClosedBeforeAnswer // the upstream closed in order
	ResetBeforeAnswer  // the upstream reset
	ClosedInBody       // the response was cut off
	ClosedWhileSending // the upstream closed while the request was sent
	UpgradeIdle        // a WebSocket, or TCP, was silent for too long
	UpgradeClosed      // a WebSocket, or TCP, was broken off
	UpgradeSubrequest  // an upgrade within auth_request or mirror
	HeaderTooBig       //
	CacheKeyTooBig     //
	InvalidResponse    // no HTTP
	InvalidHeader      // HTTP, but with a field that is not valid
	InvalidChunks      //
	DuplicateHeader    // one that must be there once
	DuplicateIgnored   // the same, of no consequence
	ExtraData          // after the end of the response
	NotHTTP2           // it answers in HTTP/1.1
	NotHTTP2TLS        // it answers with an alert of TLS
	InvalidHTTP2       //
	StreamRejected     // RST_STREAM
	GoAway             //
	TooManyFrames      //
	HeaderTooBigHTTP2  // a field of a response
	RequestHeaderTooBig
	NotFastCGI
	ScriptUnknown    // "Primary script unknown"
	ScriptDenied     // security.limit_extensions
	ApplicationError // the application says that it failed
	NotMemcached
	MemcachedKey
	TLSHandshake
	TLSPlain             // the port does not speak TLS
	TLSName              // it wants a name
	TLSVersion           // no protocol or cipher in common
	TLSClientCertificate // it wants a certificate
	TLSOwnCertificate    // nginx's own for the upstream cannot be read
	TLSCertificate       // of the upstream
	TLSCertificateName   // of the upstream, for another name
	NoTLSSupport         // nginx was built without
	NoLiveUpstreams      //
	NotResolved          // the name server says no
	NotResolvedAtStart   // nginx did not start for it
	ResolveTimeout       //
	ResolverDown         // it cannot be reached
	ResolverFailed       // it says that it failed
	ResolverRefuses      //
	ResolverOdd          // answers that nginx cannot use
	NoResolver           // a name at run time, and no resolver
	UpstreamZoneFull     // no room for addresses of names
	WorkerConnections    //
	FilesBelowConnections
	OpenFiles
	TempForbidden // temporary files, or the cache
	DiskFull
	DiskFault
	SlowDisk
	CacheBroken
	ZoneFull
	MemoryShort
	BodyTooLarge     // of the client's request
	ResponseBuffered // a response went to disk
	RequestBuffered  // a request went to disk
	Limited          // limit_req, limit_conn
	Delayed          // limit_req
	RedirectCycle    // rewrite or internal redirection cycle
	AuthRequest      // what auth_request asks failed
	ClientGone       //
	AddressInUse     //
	ListenForbidden  // a port below 1024
	ListenAddress    //
	WorkerKilled     // signal 9
	WorkerCrashed    // signal 11 and its kin
	WorkerEnded      // another signal
	WorkerFatal      // workers that cannot be started
	ConfigRefused    // any other emergency
	Internal         // a fault in nginx

	// What only other proxies say.

	Overloaded     // a queue or a limit is full
	RetriesSpent   //
	NoRoute        //
	UpstreamStatus // the application answered so
	CheckFailed    // a health check took an upstream out
	FaultInjected  //
	Goodgate       // one of goodgate's own reasons
	NumCauses
)
