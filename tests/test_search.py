"""What the search knows of a page."""

from selectolax.lexbor import LexborHTMLParser

from book.steps import search

PAGE = LexborHTMLParser("""<article><p class="course-place">Part 1 of 2</p><section id="top"><h1>Title<a class="headerlink">#</a></h1>
<p>One sentence with <span class="math"><span class="katex"><span class="katex-mathml"><math><semantics><mrow><msubsup><mi>τ</mi><mn>00</mn><mn>2</mn>
</msubsup></mrow><annotation encoding="application/x-tex">\\tau_{00}^2</annotation></semantics></math></span><span class="katex-html">τ002</span></span></span> in it. It leads to</p>
<div class="math"><span class="katex">y</span></div><pre>fit.blups</pre><table><tr><td>ranef</td></tr></table>
<section id="inner"><h2>Inside</h2><ul><li><p>A point</p></li></ul><div class="self-check"><p>A question?</p><details><summary>Answer</summary>No.</details></div>
<div class="solution"><section id="solution-content"><p>A solution.</p></section></div></section></section></article>""")


def test_sections_are_sentences_without_formulas_code_tables_and_answers():
    assert search.sections(PAGE) == [
        ("top", "Title", ["One sentence with τ₀₀² in it."], "fit.blups ranef"),
        ("inner", "Inside", ["A point", "A question?"], "")]


def test_formulas_that_are_no_line_of_text_are_left_out():
    def said(math):
        return search.spoken(LexborHTMLParser(f"<math>{math}</math>").css_first("math"))

    assert said("<mfrac><mi>a</mi><mi>b</mi></mfrac>") == "…"
    assert said("<mover><mi>β</mi><mo>^</mo></mover>") == "β\u0302"
    assert said("<msqrt><msub><mi>τ</mi><mn>11</mn></msub></msqrt>") == "√(τ₁₁)"


def test_definitions_lead_to_where_they_are_taught():
    page = LexborHTMLParser('<dl class="glossary"><dt id="term-a">a<a class="headerlink">#</a></dt><dt id="term-b">b</dt>'
                            '<dd><p>Both. See <a class="reference internal" href="x.html#y">there</a>.</p></dd></dl>')
    assert search.terms(page) == [("term-a", ["a", "b"], "Both. See there.", ["x.html#y"])]
