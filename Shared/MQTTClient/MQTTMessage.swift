/// One application message as the broker delivered it.
package struct MQTTMessage: Sendable, Hashable {
  package var topic: String
  /// At most `MQTTSubscriber.Limits.payloadBytes`; `payloadByteCount` tells whether there was more.
  package var payload: [UInt8]
  /// The length that the broker sent.
  package var payloadByteCount: Int
  package var qos: MQTTQoS
  package var isRetained: Bool
  /// The broker's packet identifier; 0 at QoS 0.
  package var packetID: UInt16
  /// The DUP flag: the broker has sent this message before and saw no acknowledgement.
  package var isRedelivery: Bool
  /// Tells the deliveries of one broker session from those of another, where packet identifiers start anew: a redelivery carries the token
  /// of the first delivery. With MQTT 5 it is the subscription identifier, which the broker keeps with the message, so it outlives this
  /// process; with 3.1.1 it is random for each process and each fresh session.
  package var sessionToken: UInt32

  package init(
    topic: String, payload: [UInt8], payloadByteCount: Int? = nil, qos: MQTTQoS = .atLeastOnce, isRetained: Bool = false,
    packetID: UInt16 = 1, isRedelivery: Bool = false, sessionToken: UInt32 = 0
  ) {
    self.topic = topic
    self.payload = payload
    self.payloadByteCount = payloadByteCount ?? payload.count
    self.qos = qos
    self.isRetained = isRetained
    self.packetID = packetID
    self.isRedelivery = isRedelivery
    self.sessionToken = sessionToken
  }

  package var isTruncated: Bool { payload.count < payloadByteCount }
}

/// The connection that a batch came by.
package struct MQTTSessionInfo: Sendable, Hashable {
  package var clientID: String
  /// Whether the broker still had this client's session (CONNACK's session present flag) when the connection was made.
  package var isPresent: Bool
  /// Counts this process's connections from 1.
  package var connection: Int

  package init(clientID: String, isPresent: Bool, connection: Int) {
    self.clientID = clientID
    self.isPresent = isPresent
    self.connection = connection
  }
}

/// A topic filter to subscribe to; `$share/<group>/<filter>` deals the messages out among the group's members.
package struct MQTTSubscription: Sendable, Hashable {
  package var filter: String
  package var qos: MQTTQoS
  /// Whether to do without it when the broker refuses it.
  package var isOptional: Bool

  package init(_ filter: String, qos: MQTTQoS = .atLeastOnce, isOptional: Bool = false) {
    self.filter = filter
    self.qos = qos
    self.isOptional = isOptional
  }
}

/// What happened to a connection; for logs, metrics and readiness.
package enum MQTTConnectionEvent: Sendable, Hashable {
  case connected(sessionPresent: Bool)
  /// The broker granted every subscription that is not optional.
  case subscribed
  /// The broker refused one subscription; it is asked for again, unless it is optional.
  case subscriptionRefused(filter: String, MQTTError)
  case disconnected(MQTTError)
}

/// The broker's answer to a publish at QoS 1; at QoS 0 it says only that the message was written to the socket.
package struct MQTTAcknowledgement: Sendable, Hashable {
  /// 0, or 16 when the broker knows that nobody is subscribed (MQTT 5, 3.4.2.1).
  package var reasonCode: UInt8
}
