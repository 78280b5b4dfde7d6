"""The page of the API's documentation, in the product's theme."""

import pytest
from playwright.sync_api import expect


@pytest.mark.parametrize(("theme", "is_dark"), [("dark", True), ("light", False)])
def test_the_documentation_has_the_theme_of_the_product(page, theme, is_dark):
    page.goto("/admin/")
    page.evaluate("theme => localStorage.setItem('adminTheme', JSON.stringify(theme))", theme)
    page.goto("/api/docs/")
    expect(page.locator(".swagger-ui .info .title").first).to_be_visible(timeout=30_000)  # a megabyte of scripts
    assert ("dark-mode" in (page.locator("html").get_attribute("class") or "")) == is_dark
    # a canvas reads any colour as numbers
    text, surface = page.evaluate(
        """() => {
            const context = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
            const light = (colour) => {
                context.fillStyle = colour; context.fillRect(0, 0, 1, 1);
                return context.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part, 0) / 765;
            };
            const title = document.querySelector(".swagger-ui .info .title");
            return [light(getComputedStyle(title).color), light(getComputedStyle(document.body).backgroundColor)];
        }"""
    )
    assert (surface < 0.25 and text > 0.8) if is_dark else (surface > 0.9 and text < 0.4)
