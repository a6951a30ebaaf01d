package nginxlog

// Cause is the cause of a failed request, as far as one line of a log shows it.
type Cause uint8

const (
	Other Cause = iota // unrelated to upstreams and limits

	ConnectRefused
	ConnectTimeout
	ConnectUnreachable // no route to host, network is unreachable
	ConnectForbidden   // permission denied, for TCP
	NoLocalPort        // cannot assign requested address
	LocalAddress       // proxy_bind's address cannot be used
	SocketMissing      // no such file, for a unix socket
	SocketForbidden    // permission denied, for a unix socket
	SocketBacklog      // try again, for a unix socket
	UpstreamAddress    // the value of proxy_pass is no address
	ResponseTimeout    // reading the response header
	ResponseStalled    // reading the response body
	SendTimeout        // sending the request
	ClosedBeforeAnswer // the upstream closed the connection regularly
	ResetBeforeAnswer  // the upstream reset the connection
	ClosedInBody       // the response was cut off
	ClosedWhileSending // the upstream closed the connection during the request
	UpgradeIdle        // a WebSocket, or TCP, was silent for too long
	UpgradeClosed      // a WebSocket, or TCP, was broken off
	UpgradeSubrequest  // an upgrade within auth_request or mirror
	HeaderTooBig       //
	CacheKeyTooBig     //
	InvalidResponse    // the answer is not HTTP
	InvalidHeader      // HTTP with an invalid field
	InvalidChunks      //
	DuplicateHeader    // a field that must be unique
	DuplicateIgnored   // the same, without consequences
	ExtraData          // after the end of the response
	NotHTTP2           // the upstream answers with HTTP/1.1
	NotHTTP2TLS        // the upstream answers with a TLS alert
	InvalidHTTP2       //
	StreamRejected     // RST_STREAM
	GoAway             //
	TooManyFrames      //
	HeaderTooBigHTTP2  // response field too long
	RequestHeaderTooBig
	NotFastCGI
	ScriptUnknown    // "Primary script unknown"
	ScriptDenied     // security.limit_extensions
	ApplicationError // the application reports an error
	NotMemcached
	MemcachedKey
	TLSHandshake
	TLSPlain             // the port does not speak TLS
	TLSName              // the upstream needs a server name
	TLSVersion           // no protocol or cipher in common
	TLSClientCertificate // the upstream needs a client certificate
	TLSOwnCertificate    // nginx's client certificate is unreadable
	TLSCertificate       // the upstream's certificate is not trusted
	TLSCertificateName   // the upstream's certificate has another name
	NoTLSSupport         // nginx was built without TLS
	NoLiveUpstreams      //
	NotResolved          // the name does not exist
	NotResolvedAtStart   // nginx did not start because of it
	ResolveTimeout       //
	ResolverDown         // the name server is unreachable
	ResolverFailed       // the name server reports a failure
	ResolverRefuses      //
	ResolverOdd          // unusable answers
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
	BodyTooLarge     // the client's request body
	ResponseBuffered // a response went to disk
	RequestBuffered  // a request went to disk
	Limited          // limit_req, limit_conn
	Delayed          // limit_req
	RedirectCycle    // rewrite or internal redirection cycle
	AuthRequest      // the subrequest of auth_request failed
	ClientGone       //
	AddressInUse     //
	ListenForbidden  // a port below 1024
	ListenAddress    //
	WorkerKilled     // signal 9
	WorkerCrashed    // signal 11 or similar
	WorkerEnded      // another signal
	WorkerFatal      // workers cannot start
	ConfigRefused    // any other emergency
	Internal         // a bug in nginx

	// Causes that only other proxies report.

	Overloaded     // a queue or a limit is full
	RetriesSpent   //
	NoRoute        //
	UpstreamStatus // the application's own answer
	CheckFailed    // a health check has taken an upstream out of rotation
	FaultInjected  //
	Goodgate       // one of goodgate's own reasons
	NumCauses
)
