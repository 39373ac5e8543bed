import CMosquitto

extension MQTTError {
  /// The standard's name of an MQTT 5 reason code, as libmosquitto spells it.
  static func name(ofReasonCode code: UInt8) -> String {
    String(cString: mosquitto_reason_string(Int32(code))).filter { $0 != "." }
  }

  /// A CONNACK that is not 0.
  static func refusedConnection(_ code: UInt8, _ configuration: MQTTConfiguration) -> MQTTError {
    let isV5 = configuration.protocolVersion == .v5
    let name = isV5 ? name(ofReasonCode: code) : String(cString: mosquitto_connack_string(Int32(code)))
    let refused = "The MQTT broker at \(configuration.address) refused"
    switch (isV5, code) {
    case (true, 0x86), (true, 0x87), (false, 4), (false, 5):
      let user = configuration.address.userName.map { "the user '\($0)'" } ?? "a client without a user name"
      return MQTTError(.authentication, "\(refused) \(user): check the user name and the password.", reasonCode: code)
    // Server unavailable, busy, quota and rate: the same attempt may succeed later.
    case (true, 0x88), (true, 0x89), (true, 0x97), (true, 0x9F), (false, 3):
      return MQTTError(.unreachable, "\(refused) the connection for now (\(name)).", reasonCode: code)
    default:
      return MQTTError(
        .refused,
        "\(refused) the connection (\(name)): check the protocol version (\(configuration.protocolVersion.rawValue)) and the client id.",
        reasonCode: code)
    }
  }

  /// A DISCONNECT that the broker sent (MQTT 5).
  static func disconnected(_ code: UInt8, _ configuration: MQTTConfiguration) -> MQTTError {
    let ended = "The MQTT broker at \(configuration.address) ended the connection"
    guard code == 0x8E else { return MQTTError(.connectionLost, "\(ended) (\(name(ofReasonCode: code))).", reasonCode: code) }
    return MQTTError(
      .connectionLost,
      "\(ended) because another client connected as '\(configuration.clientID)': give every replica a client id of its own.",
      reasonCode: code)
  }

  /// A SUBACK of 0x80 or more.
  static func refusedSubscription(_ filter: String, _ code: UInt8, _ configuration: MQTTConfiguration) -> MQTTError {
    MQTTError(
      .refused,
      "The MQTT broker at \(configuration.address) refused the subscription '\(filter)' (\(name(ofReasonCode: code))): check its access list.",
      reasonCode: code)
  }

  /// A PUBACK of 0x80 or more. The topic is not quoted: it may come from elsewhere.
  static func refusedPublish(_ code: UInt8, _ configuration: MQTTConfiguration) -> MQTTError {
    MQTTError(
      .refused, "The MQTT broker at \(configuration.address) refused the message (\(name(ofReasonCode: code))).", reasonCode: code)
  }
}
