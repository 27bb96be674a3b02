// Posts the ticket to the platform as soon as the page is there; its button does so without this.
//
// Hook: <form data-hand-over>. A page that comes back from the browser's memory (the back button)
// posts nothing: its ticket is used up.

document.querySelector("form[data-hand-over]")?.submit();
