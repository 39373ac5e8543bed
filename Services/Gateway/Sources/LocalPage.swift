internal import TrustedProxies

/// Which web pages may connect where there are no tokens.
///
/// A browser lets every page open a WebSocket to any address, and says in `Origin` where the page is from. So a page of the internet could command a
/// cooker on the network of whoever reads it; also by a name of its own that leads to a private address. Apps that are no browsers send no
/// `Origin`, or the address that they connect to.
enum LocalPage {
  /// - Parameter origin: the header, as `http://192.168.1.20:8080`; nil for a client that is no page.
  static func mayConnect(origin: String?) -> Bool {
    guard let origin else { return true }
    let parts = origin.split(separator: "/", omittingEmptySubsequences: true)
    guard parts.count >= 2 else { return false }
    let host = host(of: parts[1])
    return host == "localhost" || host.hasSuffix(".local") || NetworkList.privateNetworks.contains(host)
  }

  private static func host(of authority: Substring) -> String {
    if authority.hasPrefix("[") { return String(authority.dropFirst().prefix { $0 != "]" }) }
    return authority.prefix { $0 != ":" }.lowercased()
  }
}
