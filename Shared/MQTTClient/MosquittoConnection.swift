import CMosquitto
import Glibc

/// One libmosquitto client and its one connection. Made, used and destroyed on one network thread; a lost connection is never revived,
/// because what the library still holds for it must not be written.
///
/// The library is in its threaded mode with an external loop, so nothing reaches the socket except in `flush()`. Its documentation is
/// `mosquitto.h`; where behaviour is not documented there, the tests prove it.
final class MosquittoConnection {
  /// What callbacks told, in order, apart from messages.
  enum Notice {
    case subscriptionAnswered(requestID: Int32, reasonCode: UInt8)
    case publishAnswered(packetID: Int32, reasonCode: UInt8)
  }

  private static let initialized: Void = { mosquitto_lib_init() }()

  let configuration: MQTTConfiguration
  private let client: OpaquePointer
  private let subscriptionToken: UInt32
  private let payloadBytesMax: Int

  private(set) var connectAnswer: (reasonCode: UInt8, sessionPresent: Bool)?
  /// Tells whether reading got anywhere: the library does not say how many packets one call has read.
  private(set) var progress = 0
  private(set) var messages: [MQTTMessage] = []
  private(set) var messageBytes = 0
  private var notices: [Notice] = []
  private var publishLogLine: PublishLogLine
  private var disconnectReason: UInt8?
  private var libraryError: String?
  private var supportsSubscriptionIDs = true
  /// Set by the owner once something worth waiting for went through, so that the next pause between attempts is short again.
  var wasUseful = false

  /// - Parameters:
  ///   - cleanStart: whether the broker is to forget this client's earlier session.
  ///   - sessionToken: 1 to 268,435,455; see `MQTTMessage.sessionToken`.
  init(_ configuration: MQTTConfiguration, cleanStart: Bool, sessionToken: UInt32, payloadBytesMax: Int) throws(MQTTError) {
    _ = Self.initialized
    self.configuration = configuration
    subscriptionToken = sessionToken
    self.payloadBytesMax = payloadBytesMax
    publishLogLine = PublishLogLine(clientID: configuration.clientID)
    guard let client = mosquitto_new(configuration.clientID, cleanStart, nil) else {
      throw MQTTError(.configuration, "libmosquitto could not make a client (errno \(errno)).")
    }
    self.client = client
    mosquitto_user_data_set(client, Unmanaged.passUnretained(self).toOpaque())
    mosquitto_threaded_set(client, true)
    setCallbacks()
    try setOptions()
  }

  /// Closes the socket without writing what is queued.
  deinit { mosquitto_destroy(client) }

  // MARK: Connecting

  private func setOptions() throws(MQTTError) {
    let version = configuration.protocolVersion == .v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311
    try check(mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION, version), "the protocol version")
    try check(mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1), "TCP_NODELAY")
    if configuration.protocolVersion == .v5 {
      try check(mosquitto_int_option(client, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(configuration.receiveMaximum)), "Receive Maximum")
    }
    if let userName = configuration.address.userName {
      try check(mosquitto_username_pw_set(client, userName, configuration.readPassword?()), "the user name")
    }
    if configuration.address.usesTLS {
      if let caFile = configuration.caFile {
        try check(mosquitto_tls_set(client, caFile, nil, nil, nil, nil), "the CA file '\(caFile)': check that it exists and is readable")
      } else {
        try check(mosquitto_int_option(client, MOSQ_OPT_TLS_USE_OS_CERTS, 1), "the system's certificates")
      }
    }
    if let will = configuration.will {
      let (length, qos) = (Int32(clamping: will.payload.count), Int32(will.qos.rawValue))
      try check(mosquitto_will_set(client, will.topic, length, will.payload, qos, will.isRetained), "the last will")
    }
  }

  private func check(_ status: Int32, _ what: String) throws(MQTTError) {
    guard status != MOSQ_ERR_SUCCESS.rawValue else { return }
    throw MQTTError(.configuration, "libmosquitto refused \(what) (\(Self.text(status))).")
  }

  /// Resolves the host and makes the TCP connection, both blocking this thread for as long as the system lets them (about two minutes for
  /// a host that swallows packets): the library's call that does not block cannot carry a session expiry. CONNECT is only queued.
  func connect() throws(MQTTError) {
    var properties: OpaquePointer?
    defer { mosquitto_property_free_all(&properties) }
    if configuration.protocolVersion == .v5 {
      let expiry = UInt32(clamping: configuration.sessionExpiry.components.seconds)
      mosquitto_property_add_int32(&properties, Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue), expiry)
    }
    let keepAlive = Int32(clamping: configuration.keepAlive.components.seconds)
    let (host, port) = (configuration.address.host, Int32(configuration.address.port))
    let status = mosquitto_connect_bind_v5(client, host, port, keepAlive, nil, properties)
    if status != MOSQ_ERR_SUCCESS.rawValue { throw failure(status, errno: errno) }
  }

  static func isTopicFilter(_ text: String) -> Bool {
    !text.utf8.contains(0) && mosquitto_sub_topic_check(text) == MOSQ_ERR_SUCCESS.rawValue
  }

  static func isTopic(_ text: String) -> Bool {
    !text.isEmpty && !text.utf8.contains(0) && mosquitto_pub_topic_check(text) == MOSQ_ERR_SUCCESS.rawValue
  }

  /// Says goodbye, so that the broker does not publish the last will. Pending acknowledgements go out with it.
  func disconnect() throws(MQTTError) {
    try done(mosquitto_disconnect(client))
    try? flush()
  }

  // MARK: The external loop

  var socket: CInt { mosquitto_socket(client) }

  /// Whether the library holds bytes for the broker.
  var wantsWrite: Bool { mosquitto_want_write(client) }

  /// Reads a packet, or a few when TLS has them decrypted already, and queues their acknowledgements.
  func read() throws(MQTTError) { try done(mosquitto_loop_read(client, 1)) }

  /// Writes what is queued, as far as the socket takes it. This releases every queued acknowledgement.
  func flush() throws(MQTTError) { try done(mosquitto_loop_write(client, 1)) }

  /// Keeps the connection alive. Called between batches only, since a PINGREQ cannot be written ahead of withheld acknowledgements.
  func tick() throws(MQTTError) { try done(mosquitto_loop_misc(client)) }

  private func done(_ status: Int32) throws(MQTTError) {
    if status != MOSQ_ERR_SUCCESS.rawValue { throw failure(status, errno: errno) }
  }

  func takeMessages() -> [MQTTMessage] {
    defer { (messages, messageBytes) = ([], 0) }
    return messages
  }

  func takeNotices() -> [Notice] {
    defer { notices.removeAll(keepingCapacity: true) }
    return notices
  }

  // MARK: Requests

  /// - Returns: what `subscriptionAnswered` will carry.
  func subscribe(_ subscription: MQTTSubscription) throws(MQTTError) -> Int32 {
    var requestID: Int32 = 0
    var properties: OpaquePointer?
    defer { mosquitto_property_free_all(&properties) }
    let isV5 = configuration.protocolVersion == .v5
    if isV5, supportsSubscriptionIDs {
      mosquitto_property_add_varint(&properties, Int32(MQTT_PROP_SUBSCRIPTION_IDENTIFIER.rawValue), subscriptionToken)
    }
    let options = isV5 ? Int32(MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue) : 0
    let qos = Int32(subscription.qos.rawValue)
    try done(mosquitto_subscribe_v5(client, &requestID, subscription.filter, qos, options, properties))
    return requestID
  }

  /// - Returns: what `publishAnswered` will carry.
  func publish(_ message: MQTTPublication) throws(MQTTError) -> Int32 {
    var packetID: Int32 = 0
    var properties: OpaquePointer?
    defer { mosquitto_property_free_all(&properties) }
    if let expiry = message.expiry {
      let seconds = UInt32(clamping: max(1, expiry.components.seconds))
      mosquitto_property_add_int32(&properties, Int32(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL.rawValue), seconds)
    }
    let (length, qos) = (Int32(clamping: message.payload.count), Int32(message.qos.rawValue))
    let status = mosquitto_publish_v5(
      client, &packetID, message.topic, length, message.payload, qos, message.isRetained, properties)
    switch mosq_err_t(status) {
    case MOSQ_ERR_SUCCESS: return packetID
    case MOSQ_ERR_INVAL, MOSQ_ERR_PAYLOAD_SIZE, MOSQ_ERR_MALFORMED_UTF8, MOSQ_ERR_OVERSIZE_PACKET, MOSQ_ERR_QOS_NOT_SUPPORTED,
      MOSQ_ERR_RETAIN_NOT_SUPPORTED:
      throw MQTTError(.invalidMessage, "This message cannot be published: \(Self.text(status))")
    default: throw failure(status, errno: errno)
    }
  }

  // MARK: Callbacks, on the network thread, inside the calls above

  private func setCallbacks() {
    mosquitto_log_callback_set(client) { _, user, level, text in
      guard let user, let text else { return }
      MosquittoConnection.of(user).logged(level, text)
    }
    mosquitto_connect_v5_callback_set(client) { _, user, reason, flags, properties in
      guard let user else { return }
      MosquittoConnection.of(user).answered(reason, flags, properties)
    }
    mosquitto_disconnect_v5_callback_set(client) { _, user, reason, _ in
      // Called with the broker's reason code, and again with one of the library's own (all below 0x80) when it closes the socket.
      guard let user, let code = UInt8(exactly: reason), code >= 0x80 else { return }
      MosquittoConnection.of(user).disconnectReason = code
    }
    mosquitto_subscribe_v5_callback_set(client) { _, user, requestID, count, codes, _ in
      guard let user, let codes, count > 0 else { return }
      let code = UInt8(truncatingIfNeeded: codes[0])
      MosquittoConnection.of(user).notices.append(.subscriptionAnswered(requestID: requestID, reasonCode: code))
    }
    mosquitto_publish_v5_callback_set(client) { _, user, packetID, reason, _ in
      guard let user else { return }
      let code = UInt8(truncatingIfNeeded: reason)
      MosquittoConnection.of(user).notices.append(.publishAnswered(packetID: packetID, reasonCode: code))
    }
    mosquitto_message_v5_callback_set(client) { _, user, message, properties in
      guard let user, let message else { return }
      MosquittoConnection.of(user).received(message.pointee, properties)
    }
  }

  /// Sound because the library calls back only inside a call on `client`, which `self` owns.
  private static func of(_ user: UnsafeMutableRawPointer) -> MosquittoConnection {
    Unmanaged<MosquittoConnection>.fromOpaque(user).takeUnretainedValue()
  }

  private func logged(_ level: Int32, _ text: UnsafePointer<CChar>) {
    progress += 1
    publishLogLine.read(text)
    if level == MOSQ_LOG_ERR { libraryError = String(String(cString: text).prefix(200)) }
  }

  private func answered(_ reason: Int32, _ flags: Int32, _ properties: OpaquePointer?) {
    connectAnswer = (UInt8(truncatingIfNeeded: reason), flags & 1 == 1)
    var available: UInt8 = 1
    mosquitto_property_read_byte(properties, Int32(MQTT_PROP_SUBSCRIPTION_ID_AVAILABLE.rawValue), &available, false)
    supportsSubscriptionIDs = available == 1
  }

  private func received(_ message: mosquitto_message, _ properties: OpaquePointer?) {
    let length = max(0, Int(message.payloadlen))
    let kept = UnsafeRawBufferPointer(start: message.payload, count: message.payload == nil ? 0 : min(length, payloadBytesMax))
    var token = subscriptionToken
    mosquitto_property_read_varint(properties, Int32(MQTT_PROP_SUBSCRIPTION_IDENTIFIER.rawValue), &token, false)
    let topic = message.topic.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: strlen($0)), as: UTF8.self) }
    let packetID = UInt16(truncatingIfNeeded: message.mid)
    let isRedelivery = message.qos > 0 && publishLogLine.takeIsDuplicate(packetID: packetID)
    messages.append(
      MQTTMessage(
        topic: topic ?? "", payload: Array(kept), payloadByteCount: length, qos: message.qos > 0 ? .atLeastOnce : .atMostOnce,
        isRetained: message.retain, packetID: packetID, isRedelivery: isRedelivery, sessionToken: token))
    messageBytes += kept.count + (topic?.utf8.count ?? 0)
  }

  // MARK: Errors

  /// The library's words for a status, without their full stop.
  private static func text(_ status: Int32) -> String {
    let text = String(cString: mosquitto_strerror(status))
    return text.last == "." ? String(text.dropLast()) : text
  }

  /// The most telling account of why the library gave up: the broker's own word first, then TLS, then the system's.
  private func failure(_ status: Int32, errno code: CInt) -> MQTTError {
    if let connectAnswer, connectAnswer.reasonCode != 0 {
      return .refusedConnection(connectAnswer.reasonCode, configuration)
    }
    if let disconnectReason { return .disconnected(disconnectReason, configuration) }
    let address = configuration.address
    let text = status == MOSQ_ERR_ERRNO.rawValue ? String(cString: strerror(code)) : Self.text(status)
    switch mosq_err_t(status) {
    case MOSQ_ERR_TLS, MOSQ_ERR_TLS_HANDSHAKE:
      return MQTTError(
        .tls, "TLS with the MQTT broker at \(address) failed (\(libraryError ?? text)): check the CA file and the broker's certificate.")
    case MOSQ_ERR_EAI:
      return MQTTError(.unreachable, "The MQTT broker's host name '\(address.host)' could not be resolved: check the URL and the DNS.")
    default:
      guard connectAnswer == nil else {
        // A second client of the same id displaces the first, and the broker's word of it is often lost with the socket.
        let hint =
          status == MOSQ_ERR_CONN_LOST.rawValue ? "; if that repeats, another client may use the id '\(configuration.clientID)'" : ""
        return MQTTError(.connectionLost, "The connection to the MQTT broker at \(address) was lost (\(text)\(hint)).")
      }
      return MQTTError(.unreachable, "The MQTT broker at \(address) cannot be reached (\(text)): check that it runs and the URL.")
    }
  }
}
