import ServerURL

/// Where a broker listens: `mqtt://[user[:password]@]host[:1883]` or `mqtts://…[:8883]`.
package struct MQTTAddress: Sendable, Hashable, CustomStringConvertible {
  package let host: String
  package let port: Int
  package let usesTLS: Bool
  package let userName: String?

  var scheme: String { usesTLS ? "mqtts" : "mqtt" }

  /// Host and port, for logs and errors.
  package var description: String { host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// - Returns: the address, and apart from it the password, so that no address can leak one.
  /// - Throws: `configuration`; the text never repeats the URL, which may hold a password.
  static func parse(_ url: String) throws(MQTTError) -> (address: MQTTAddress, password: String?) {
    do throws(ServerURL.Malformed) {
      let parts = try ServerURL(url, defaultPorts: ["mqtt": 1883, "mqtts": 8883])
      guard parts.path.isEmpty else { throw ServerURL.Malformed(reason: "nothing may follow the port") }
      let address = MQTTAddress(host: parts.host, port: parts.port, usesTLS: parts.scheme == "mqtts", userName: parts.user)
      return (address, parts.password)
    } catch {
      throw MQTTError(
        .configuration, "The MQTT URL is malformed: \(error.reason). Write it as mqtt://user@host:1883 or mqtts://user@host:8883.")
    }
  }
}
