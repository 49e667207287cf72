//! A picture for the examples of /openapi.json.

/// A boat at sunset, 128 x 128 pixels: a placeholder for the reader's own picture, so that the examples work unchanged.
pub(crate) const EXAMPLE_IMAGE: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAIAAAACAAgMAAAC+UIlYAAAADFBMVEXypl4wXJbsUDz/7r4yPsOfAAABKUlEQVR42u2VMXLDIBBFv8ClZ+Rz\
    pNIBPGMfIvZ5fJ5UuUEocoBUqXMEPKMukn+KgITsxZZgxhXbsBJfb9llQUCxYsWKPcOM9FItIdhsQpdN4GxCTYrh6AtBcvAlQg0AW4ngCrEjSWlBLrAmSXq1EGI9GSYCDQ\
    BowoeFhfrPjc5MhKC90wgEOybh01CxJLyj5MnYZukwtJ6XpnrU2EsJTTZhnU3Q2YTbQlwLmryjR7JD7fuhS1ukRuvdNo0A03vvK/bNzi0yIc3x+hizlAjtZKgA4G0i+P4w\
    w4wbXk6h4FhbAP0qCPETzl9wBoDPe5u1Afq986sDgOo1mP19T+go3rnz1U2jmaSmtfEbfSahi/9V1DXXJp4sEz1aDwnVYWlXF0ERFEERPE/wB6qZcyzltyjLAAAAAElFTk\
    SuQmCC";
