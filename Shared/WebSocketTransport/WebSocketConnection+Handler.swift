internal import Glibc
package import NIOCore
internal import TrustedProxies

extension WebSocketConnection: ChannelInboundHandler {
  package typealias InboundIn = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  package func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    // Absent under in-process TLS and in embedded channels, where all bytes go through NIO.
    let transport = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: CInt.self) { $0 }
    descriptor = transport.flatMap { $0 } ?? -1
    loop.add(self)
  }

  package func channelInactive(context: ChannelHandlerContext) {
    ended()
  }

  package func handlerRemoved(context: ChannelHandlerContext) {
    // A channel that failed before it became active was never inactive.
    ended()
    self.context = nil
  }

  private func ended() {
    guard phase != .closed else { return }
    // The kernel may give the number to another connection from now on.
    descriptor = -1
    handshake = nil
    loop.remove(self)
    if phase == .open { leaveOpen(.abnormal, then: .closed) } else { begin(.closed) }
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    context.close(promise: nil)
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    // NIO drains the input of a channel whose write failed: the connection is over.
    guard !isInsideWrite else { return }
    var input = unwrapInboundIn(data)
    lastReceived = loop.now
    loop.statistics.bytesReceived += input.readableBytes
    if phase == .handshaking { readRequest(&input) }
    while phase == .open || phase == .closing, let event = decoder.next(&input) { take(event) }
  }

  // MARK: Request

  private func readRequest(_ input: inout ByteBuffer) {
    do throws(HandshakeRefusal) {
      if let refusal = loop.isDraining ? loop.drainRefusal : refusal { throw refusal }
      guard let accepted = try handshake?.next(&input, paths: loop.paths) else { return }
      open(accepted, route: loop.routes[accepted.pathIndex])
    } catch {
      refuse(error)
    }
  }

  private func open(_ accepted: Handshake.Accepted, route: WebSocketRoute) {
    let peer = context?.channel.remoteAddress?.ipAddress ?? ""
    let forwardedFor = accepted.head.headers.filter { $0.name == "x-forwarded-for" }.map(\.value)
    let client = loop.configuration.trustedProxies.client(peer: peer, forwardedFor: forwardedFor)
    leaveHandshake(.open)
    limits = route.limits
    decoder = FrameDecoder(messageBytesMax: limits.messageBytesMax)
    lastPing = loop.now
    loop.statistics.connectionsOpened += 1
    loop.statistics.connectionsOpen += 1
    write(accepted.answer)
    session = route.makeSession(WebSocketRequest(head: accepted.head, remoteAddress: client), self)
  }

  func refuse(_ refusal: HandshakeRefusal) {
    leaveHandshake(.lingering)
    loop.statistics.handshakesRefused[refusal.status, default: 0] += 1
    linger(after: refusal.encoded())
  }

  private func leaveHandshake(_ next: Phase) {
    handshake = nil
    loop.leftHandshake()
    begin(next)
  }

  // MARK: Frames

  private func take(_ event: FrameEvent) {
    switch event {
    case .text(let text):
      guard phase == .open else { return }
      loop.statistics.messagesReceived += 1
      session?.received(text)
    case .ping(let payload):
      // RFC 6455, section 5.5.2: no pong is owed once a Close was sent.
      if phase == .open { send(frames: FrameEncoder.pong(payload)) }
    case .pong(let payload): if phase == .open { session?.ponged(payload) }
    case .close(let code): finish(code)
    case .violation(let violation):
      guard phase == .open else {
        context?.close(promise: nil)
        return
      }
      leaveOpen(violation.code, then: .lingering)
      linger(after: FrameEncoder.close(violation.code, reason: violation.reason))
    }
  }

  /// The peer's Close: answered if it came first, and then TCP ends.
  private func finish(_ code: WebSocketCloseCode) {
    if phase == .open {
      leaveOpen(code, then: .finishing)
      write(FrameEncoder.close(code, reason: ""))
    } else {
      begin(.finishing)
    }
    if isWritable, phase == .finishing { drained() }
  }

  // MARK: Time

  /// Acts on what has lasted too long. The clock is as coarse as the sweep, so each limit is met late by up to one interval, never early.
  func sweep(at now: NIODeadline) {
    let configuration = loop.configuration
    switch phase {
    case .handshaking:
      if loop.hasPassed(configuration.handshakeTimeout, since: phaseBegan) { refuse(.timeout) }
    case .open:
      if let idleTimeout = limits.idleTimeout, isReading, loop.hasPassed(idleTimeout, since: lastReceived) {
        close(.goingAway, reason: "Nothing was received for \(idleTimeout)")
      } else if let pingInterval = limits.pingInterval, now - lastPing >= TimeAmount(pingInterval) {
        lastPing = now
        // A client with a backlog has more urgent things to read.
        if isWritable { send(frames: FrameEncoder.ping()) }
      }
    case .closing, .finishing, .lingering:
      if loop.hasPassed(configuration.closeTimeout, since: phaseBegan) { context?.close(promise: nil) }
    case .closed: break
    }
  }
}
